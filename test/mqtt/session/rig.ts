import mqtt, { type Packet } from 'mqtt-packet';
import { Counters } from '../../../src/counters.js';
import type {
  MqttConnection,
  MqttOwner,
  MqttRecorder,
  MqttSessionLimits,
  PublishOptions,
  SessionPacket,
} from '../../../src/mqtt/session/contract.js';
import { MqttEngine } from '../../../src/mqtt/session/engine.js';
import type {
  Acknowledgement,
  Publish,
  Subscribe,
  SubscriptionRequest,
} from '../../../src/mqtt/wire/packets.js';
import type { MessageExtras } from '../../../src/router/message.js';
import type { QueueLimits } from '../../../src/session/contract.js';
import type { Qos } from '../../../src/wire/messages.js';
import type { ReasonName } from '../../../src/wire/reasons.js';

/** What the engine sent, as another library reads it. */
export type Sent = Packet & { readonly bytes: number };

export interface RigOptions {
  readonly limits?: Partial<MqttSessionLimits>;
  readonly queue?: Partial<QueueLimits>;
  readonly recorder?: MqttRecorder;
  readonly counters?: Counters;
}

/** An engine, whose owner writes down what it is asked for, and whose client is what the test makes of it. */
export class Rig implements MqttOwner {
  readonly engine: MqttEngine;
  readonly counters: Counters;
  time = 1000;
  /** What `emit` answers. */
  refusal: ReasonName | undefined;
  /** What `subscribe` answers for a filter, if not as the subscriptions stand. */
  readonly subscriptionRefusals = new Map<string, ReasonName>();
  /** Whether somebody is subscribed to what is emitted. */
  hasAudience = true;
  readonly emitted: { topic: string; payload: string; options: PublishOptions }[] = [];
  /** `subscribe a @1`, `replay a`, `unsubscribe a`, `fails 0x82`. */
  readonly asked: string[] = [];
  readonly filters = new Set<string>();
  backlog = 0;
  onEmit: () => void = () => {};
  #sent: Sent[] = [];

  constructor({ limits, queue, recorder, counters }: RigOptions = {}) {
    this.counters = counters ?? new Counters();
    const all: MqttSessionLimits = {
      queue: { messages: 1000, bytes: 1_000_000, ...queue },
      backlog: 100_000,
      receiveMaximum: 10,
      topicAliasMaximum: 4,
      ...limits,
    };
    this.engine = new MqttEngine(this, all, this.counters, recorder);
  }

  /** A connection of MQTT 5, unless told otherwise. */
  connect(traits: Partial<MqttConnection> = {}): void {
    const level = traits.level ?? 5;
    const parser = mqtt.parser({ protocolVersion: level });
    parser.on('packet', (packet: Packet) => this.#sent.push(packet as Sent));
    parser.on('error', (error: Error) => {
      throw error;
    });
    this.engine.begin({
      level,
      receiveMaximum: 65_535,
      maximumPacketSize: Number.POSITIVE_INFINITY,
      topicAliasMaximum: 0,
      problemInformation: true,
      send: (bytes) => {
        const before = this.#sent.length;
        parser.parse(Buffer.from(bytes));
        if (this.#sent.length !== before + 1) throw new Error('that was not one whole packet');
        (this.#sent[before] as { bytes: number }).bytes = bytes.length;
      },
      backlog: () => this.backlog,
      ...traits,
    });
  }

  /** What was sent since the last call. */
  packets(): Sent[] {
    return this.#sent.splice(0);
  }

  /** The same in words: `publish a=x @1 #1 dup retain`, `puback #1 0x97`, `suback #1 0x1`. */
  sent(): string[] {
    return this.packets().map(inWords);
  }

  /** Gives the engine packets; returns the answer for the last. */
  receive(...packets: SessionPacket[]): boolean {
    let taken = true;
    for (const packet of packets) taken = this.engine.receive(packet);
    return taken;
  }

  /** Delivers as the router would. */
  deliver(
    topic: string,
    payload: string,
    qos: Qos,
    more: { retain?: boolean; extras?: MessageExtras; ids?: number[] } = {},
  ): void {
    this.engine.deliver(
      { name: topic },
      Buffer.from(payload),
      qos,
      more.retain ?? false,
      more.extras,
      more.ids,
    );
  }

  emit(topic: string, payload: Uint8Array, options: PublishOptions): ReasonName | undefined {
    this.onEmit();
    if (this.refusal !== undefined && this.refusal !== 'too_large_for_receiver') return this.refusal;
    this.emitted.push({ topic, payload: Buffer.from(payload).toString(), options });
    return this.refusal;
  }

  isHeard(): boolean {
    return this.hasAudience;
  }

  /** What was emitted since the last call: `a=x @1 retain`. */
  heard(): string[] {
    return this.emitted
      .splice(0)
      .map(
        ({ topic, payload, options }) =>
          `${topic}=${payload} @${options.qos}${options.retain ? ' retain' : ''}`,
      );
  }

  subscribe(
    { filter, qos }: SubscriptionRequest,
    identifier: number | undefined,
  ): 'new' | 'replaced' | ReasonName {
    const refusal = this.subscriptionRefusals.get(filter);
    this.asked.push(`subscribe ${filter} @${qos}${identifier === undefined ? '' : ` id ${identifier}`}`);
    if (refusal !== undefined) return refusal;
    const known = this.filters.has(filter);
    this.filters.add(filter);
    return known ? 'replaced' : 'new';
  }

  replay(filter: string): void {
    this.asked.push(`replay ${filter}`);
    // What it brings must come behind SUBACK.
    this.deliver(filter, 'last', 0, { retain: true });
  }

  unsubscribe(filter: string): boolean {
    this.asked.push(`unsubscribe ${filter}`);
    return this.filters.delete(filter);
  }

  fails(code: number): void {
    this.asked.push(`fails 0x${code.toString(16)}`);
    this.engine.detach();
  }

  now(): number {
    return this.time;
  }
}

function inWords(packet: Sent): string {
  if (packet.cmd === 'publish') {
    const { topic, payload, qos, messageId, dup, retain } = packet;
    const id = messageId === undefined ? '' : ` #${messageId}`;
    return `publish ${topic}=${payload.toString()} @${qos}${id}${dup ? ' dup' : ''}${retain ? ' retain' : ''}`;
  }
  if (packet.cmd === 'suback' || packet.cmd === 'unsuback') {
    const codes = (packet.granted as number[] | undefined) ?? [];
    return [`${packet.cmd} #${packet.messageId}`, ...codes.map((code) => `0x${code.toString(16)}`)].join(' ');
  }
  const { messageId, reasonCode } = packet as { messageId?: number; reasonCode?: number };
  const code = reasonCode ? ` 0x${reasonCode.toString(16)}` : '';
  return `${packet.cmd}${messageId === undefined ? '' : ` #${messageId}`}${code}`;
}

/** A PUBLISH of a client. */
export function publish(
  topic: string,
  payload: string,
  qos: Qos,
  id = 0,
  more: Partial<Publish> = {},
): Publish {
  return {
    type: 'publish',
    dup: false,
    qos,
    retain: false,
    topic,
    id,
    payload: Buffer.from(payload),
    properties: undefined,
    ...more,
  };
}

export function acknowledge(type: Acknowledgement['type'], id: number, code = 0): Acknowledgement {
  return { type, id, code, properties: {} };
}

export const puback = (id: number, code = 0) => acknowledge('puback', id, code);
export const pubrec = (id: number, code = 0) => acknowledge('pubrec', id, code);
export const pubrel = (id: number, code = 0) => acknowledge('pubrel', id, code);
export const pubcomp = (id: number, code = 0) => acknowledge('pubcomp', id, code);

export function subscribe(
  id: number,
  requests: (Partial<SubscriptionRequest> & { filter: string })[],
  subscriptionIdentifier?: number,
): Subscribe {
  return {
    type: 'subscribe',
    id,
    subscriptions: requests.map((request) => ({
      qos: 0,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
      ...request,
    })),
    properties: subscriptionIdentifier === undefined ? {} : { subscriptionIdentifier },
  };
}
