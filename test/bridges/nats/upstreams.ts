import { type ConnectionOptions, connect, type NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { createNatsUpstream, type NatsUpstreamOptions } from '../../../src/bridges/nats/upstream.js';
import { BridgeRecords } from '../../../src/bridges/records.js';
import type {
  IncomingMessage,
  OutgoingMessage,
  QueuedMessage,
  UpstreamConnection,
  UpstreamError,
  UpstreamEvents,
} from '../../../src/bridges/upstream.js';
import { systemClock } from '../../../src/clock.js';
import type { NatsConfig } from '../../../src/config/schema.js';
import { Counters } from '../../../src/counters.js';
import type { Qos } from '../../../src/wire/messages.js';

let gateways = 0;
let records = 0;

/** A message that was heard, as text. */
export interface Heard extends Omit<IncomingMessage, 'payload'> {
  readonly text: string;
}

export type Settings = Partial<Omit<NatsUpstreamOptions, 'config'>> & {
  readonly config?: Partial<NatsConfig>;
};

/** A bridge's side of an upstream, which notes down what it is told. */
export class Side implements UpstreamEvents {
  readonly options: NatsUpstreamOptions;
  readonly counters = new Counters();
  readonly log: { readonly level: number; readonly msg: string }[] = [];
  readonly heard: Heard[] = [];
  readonly settledRecords: number[] = [];
  readonly refusals: (readonly [record: number | string, reason: string, why: string])[] = [];
  readonly refusedInterests: (readonly [pattern: string, why: string])[] = [];
  readonly problems: UpstreamError[] = [];
  /** While it is set, what comes in is not taken: it waits in `waiting`. */
  busy = false;
  readonly waiting: (() => void)[] = [];
  readonly #abort = new AbortController();
  #connection: UpstreamConnection | undefined;
  #dead = false;

  constructor(servers: string | readonly string[], { config, ...options }: Settings = {}) {
    const logger = pino({ base: null }, { write: (line: string) => void this.log.push(JSON.parse(line)) });
    const gateway = `g${++gateways}`;
    this.options = {
      gateway,
      bridge: 'plant',
      instance: `${gateway}-${process.pid}`,
      records: new BridgeRecords('plant'),
      clock: systemClock,
      counters: this.counters,
      logger,
      inFlight: 1000,
      rules: [{ pattern: 'site/#', qos: 2 }],
      ...options,
      config: {
        servers: [servers].flat(),
        stream: 'slipway',
        last_values: 'slipway',
        replicas: 1,
        max_age: 3_600_000,
        max_bytes: 64 * 1024 * 1024,
        duplicate_window: 60_000,
        ...config,
      },
    };
    onTestFinished(() => this.close());
  }

  get gateway(): string {
    return this.options.gateway;
  }

  get connection(): UpstreamConnection {
    if (this.#connection === undefined) throw new Error('it is not connected');
    return this.#connection;
  }

  async connect(): Promise<this> {
    this.#connection = await createNatsUpstream(this.options).connect(this, this.#abort.signal);
    return this;
  }

  /** Connects, and hears what matches these. */
  async hear(...patterns: readonly string[]): Promise<this> {
    await this.connect();
    this.want(2, ...patterns);
    return this;
  }

  want(qos: Qos, ...patterns: readonly string[]): void {
    this.connection.setInterests(patterns.map((pattern) => ({ pattern, qos })));
  }

  abort(): void {
    this.#abort.abort(new Error('aborted'));
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  /** The same bridge anew, as after a restart: it has the records, and nothing else. */
  again(): Side {
    const { counters: _counters, logger: _logger, ...options } = this.options;
    return new Side(options.config.servers, options);
  }

  /** It is killed, at this very moment; returns the one after that, which has what was kept. */
  killed(): Side {
    this.#dead = true;
    this.busy = true;
    const records = new BridgeRecords('plant');
    for (const [key, value] of this.options.records.entries()) records.put(key, value);
    const { counters: _counters, logger: _logger, ...options } = this.options;
    return new Side(options.config.servers, { ...options, records });
  }

  send(name: string, text: string, more: Partial<OutgoingMessage> = {}): boolean {
    return this.connection.send(this.#message(name, text, more));
  }

  /** Returns its record. */
  publish(name: string, text: string, more: Partial<QueuedMessage> = {}): number {
    const { qos = 1, record = ++records } = more;
    const message = this.#message(name, text, more);
    this.connection.publish({ ...message, at: systemClock.now(), ...more, qos: qos === 2 ? 2 : 1, record });
    return record;
  }

  get texts(): string[] {
    return this.heard.map(({ text }) => text);
  }

  /** Lines of the log from warnings on. */
  get warnings(): string[] {
    return this.log.filter(({ level }) => level >= 40).map(({ msg }) => msg);
  }

  count(name: string): number {
    return this.counters.get(`bridges.plant.${name}`);
  }

  /** Lets go what it did not take. */
  takeAll(): void {
    this.busy = false;
    for (const next of this.waiting.splice(0)) next();
  }

  lost(problem: UpstreamError): void {
    this.problems.push(problem);
  }

  settled(record: number): void {
    this.settledRecords.push(record);
  }

  refused(record: number, reason: string, why: string): void {
    this.refusals.push([record, reason, why]);
  }

  sendRefused(name: string, reason: string, why: string): void {
    this.refusals.push([name, reason, why]);
  }

  interestRefused(pattern: string, why: string): void {
    this.refusedInterests.push([pattern, why]);
  }

  incoming({ payload, ...message }: IncomingMessage, next: () => void): void {
    if (this.#dead) return;
    const take = () => {
      if (this.#dead) return;
      this.heard.push({ ...message, text: Buffer.from(payload).toString() });
      next();
    };
    if (this.busy && message.qos > 0) this.waiting.push(take);
    else take();
  }

  #message(name: string, text: string, more: Partial<OutgoingMessage>): OutgoingMessage {
    return {
      name,
      payload: Buffer.from(text),
      qos: 0,
      retain: false,
      properties: undefined,
      expiresAt: undefined,
      via: [this.gateway],
      ...more,
    };
  }
}

/** Some other program on the server. */
export async function program(
  servers: string | string[],
  login: Pick<ConnectionOptions, 'user' | 'pass'> = {},
): Promise<NatsConnection> {
  const connection = await connect({ servers, ...login, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  onTestFinished(() => connection.close());
  return connection;
}
