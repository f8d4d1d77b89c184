import { connectAsync, type IPublishPacket, type MqttClient } from 'mqtt';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { createMqttUpstream, type MqttUpstreamOptions } from '../../../src/bridges/mqtt/mqtt-upstream.js';
import type {
  IncomingMessage,
  OutgoingMessage,
  QueuedMessage,
  Upstream,
  UpstreamConnection,
  UpstreamError,
  UpstreamEvents,
  UpstreamRecords,
} from '../../../src/bridges/upstream.js';
import { systemClock } from '../../../src/clock.js';
import { Counters } from '../../../src/counters.js';
import { Life } from './life.js';

export const VERSIONS = [5, '3.1.1'] as const;
export type Version = (typeof VERSIONS)[number];

type Config = MqttUpstreamOptions['config'];

export interface RigOptions {
  readonly version?: Version;
  readonly config?: Partial<Config>;
  readonly gateway?: string;
  readonly records?: UpstreamRecords;
  readonly inFlight?: number;
  readonly maxPacket?: number;
  readonly clock?: MqttUpstreamOptions['clock'];
}

/** An upstream, and what it told. */
export class Rig implements UpstreamEvents {
  readonly upstream: Upstream;
  readonly counters = new Counters();
  readonly log: string[] = [];
  readonly problems: UpstreamError[] = [];
  /** Of each connection that was lost, whether it may have been for a message. */
  readonly cutOffs: boolean[] = [];
  readonly settledRecords: number[] = [];
  /** `12 forbidden the broker does not …` */
  readonly refusals: string[] = [];
  readonly messages: IncomingMessage[] = [];
  /** Of messages that are not taken yet. */
  readonly nexts: (() => void)[] = [];
  /** Whether what comes is taken at once. */
  takes = true;
  connection: UpstreamConnection | undefined;
  onSettled: (record: number) => void = () => {};
  onLost: () => void = () => {};
  /** In place of what `takes` says. */
  onIncoming: UpstreamEvents['incoming'] | undefined;

  constructor(url: string, options: RigOptions = {}) {
    const {
      version = 5,
      gateway = 'here',
      inFlight = 1000,
      maxPacket = 1_048_576,
      clock = systemClock,
    } = options;
    this.upstream = createMqttUpstream({
      config: { url, version, keep_alive: 30_000, session_expiry: 3_600_000, ...options.config },
      gateway,
      bridge: 'plant',
      records: options.records ?? new Life(),
      clock,
      counters: this.counters,
      logger: pino({ base: null }, { write: (line: string) => void this.log.push(JSON.parse(line).msg) }),
      inFlight,
      maxPacket,
    });
    onTestFinished(() => this.connection?.close());
  }

  static async connected(url: string, options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(url, options);
    await rig.connect();
    return rig;
  }

  async connect(): Promise<UpstreamConnection> {
    this.connection = await this.upstream.connect(this, new AbortController().signal);
    return this.connection;
  }

  get up(): UpstreamConnection {
    if (!this.connection) throw new Error('it is not connected');
    return this.connection;
  }

  get texts(): string[] {
    return this.messages.map(({ name, payload }) => `${name} ${Buffer.from(payload).toString()}`);
  }

  lost(problem: UpstreamError, cutOff: boolean): void {
    this.problems.push(problem);
    this.cutOffs.push(cutOff);
    this.connection = undefined;
    this.onLost();
  }

  settled(record: number): void {
    this.settledRecords.push(record);
    this.onSettled(record);
  }

  refused(record: number, reason: string, why: string): void {
    this.refusals.push(`${record} ${reason} ${why}`);
  }

  sendRefused(name: string, reason: string, why: string): void {
    this.refusals.push(`${name} ${reason} ${why}`);
  }

  interestRefused(pattern: string, why: string): void {
    this.refusals.push(`${pattern} ${why}`);
  }

  incoming(message: IncomingMessage, next: () => void): void {
    this.messages.push(message);
    if (this.onIncoming) return this.onIncoming(message, next);
    if (this.takes || message.qos === 0) next();
    else this.nexts.push(next);
  }
}

/** A message that leaves gateway `here`. */
export function outgoing(name: string, text: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  const payload = Buffer.from(text);
  return {
    name,
    payload,
    qos: 0,
    retain: false,
    properties: undefined,
    via: ['here'],
    expiresAt: undefined,
    ...more,
  };
}

export function queued(
  record: number,
  name: string,
  text: string,
  more: Partial<QueuedMessage> = {},
): QueuedMessage {
  return { ...outgoing(name, text), qos: 1, record, at: 0, ...more };
}

/** A client of the broker, and what it hears. */
export class Listener {
  readonly packets: IPublishPacket[] = [];
  readonly client: MqttClient;

  static async on(url: string, pattern: string, version: Version = 5, qos: 1 | 2 = 2): Promise<Listener> {
    const client = await connectAsync(url, {
      protocolVersion: version === 5 ? 5 : 4,
      reconnectPeriod: 20,
      clientId: `listener-${Math.random()}`,
      clean: false,
      properties: { sessionExpiryInterval: 3600 },
    });
    const listener = new Listener(client);
    await client.subscribeAsync(pattern, { qos });
    return listener;
  }

  private constructor(client: MqttClient) {
    this.client = client;
    client.on('message', (_topic, _payload, packet) => void this.packets.push(packet));
    client.on('error', () => {});
    onTestFinished(() => client.endAsync(true));
  }

  get texts(): string[] {
    return this.packets.map(({ topic, payload }) => `${topic} ${payload.toString()}`);
  }
}

/** Publishes messages in their order, as many at once as the broker takes. */
export class Sender {
  readonly #rig: Rig;
  readonly #messages: QueuedMessage[] = [];
  #inFlight = 0;
  settled: (record: number) => void = () => {};

  constructor(rig: Rig) {
    this.#rig = rig;
    rig.onSettled = (record) => {
      this.#inFlight--;
      this.settled(record);
      this.#send();
    };
  }

  push(...messages: QueuedMessage[]): void {
    this.#messages.push(...messages);
    this.#send();
  }

  #send(): void {
    const { connection } = this.#rig;
    while (connection && this.#messages.length > 0 && this.#inFlight < connection.window) {
      this.#inFlight++;
      connection.publish(this.#messages.shift() as QueuedMessage);
    }
  }
}
