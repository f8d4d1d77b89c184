import { Counters } from '../../src/counters.js';
import type { Epoch, LinkTraits } from '../../src/session/contract.js';
import { SessionEngine } from '../../src/session/engine.js';
import type { Channel, OutgoingEmit } from '../../src/session/outgoing.js';
import { decodePacket, PacketReader } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Emit, Message, Qos, Refuse } from '../../src/wire/messages.js';
import type { Reason } from '../../src/wire/reasons.js';

export const UDP: LinkTraits = {
  reliable: false,
  ordered: false,
  maxPacket: 1472,
  wireSize: (packet) => packet.length,
};
/** Frames without escapes: END, packet, CRC, END. */
export const SERIAL: LinkTraits = {
  reliable: false,
  ordered: true,
  maxPacket: 1024,
  wireSize: (packet) => packet.length + 4,
};
export const TCP: LinkTraits = {
  reliable: true,
  ordered: true,
  maxPacket: 1_048_576,
  wireSize: (packet) => packet.length + 1,
};

/** An engine between a test that plays the other side and one that plays the owner. */
export class Bench {
  readonly engine: SessionEngine<Channel>;
  readonly counters = new Counters();
  /** `channel=text@qos`, in order of delivery. */
  readonly taken: string[] = [];
  readonly controls: Message[] = [];
  readonly refused: Refuse[] = [];
  /** `text ok` or `text reason`. */
  readonly settled: string[] = [];
  /** What the owner was told of the session itself. */
  readonly events: string[] = [];
  /** Why the next emits are refused. */
  refusing: Reason | undefined;
  now = 1000;
  /** Bytes that may wait at QoS 0. */
  backlog = 10_000;
  readonly #role: 'gateway' | 'peer';
  readonly #channels = new Map<string, Channel>();

  constructor(role: 'gateway' | 'peer', queue = { messages: 100, bytes: 10_000 }) {
    this.#role = role;
    this.engine = new SessionEngine<Channel>(
      role,
      {
        hold: (name) => this.channel(name),
        release: () => undefined,
        emit: (target, message) => this.#take(target, message),
        control: (message) => {
          this.controls.push(message);
          if (message.type === 'sleep' && !this.refusing) this.#sleep(message.seconds);
          return this.refusing;
        },
        refused: (message) => this.refused.push({ ...message, detail: new Uint8Array(message.detail) }),
        bye: (reason) => this.events.push(`bye ${reason}`),
        woke: () => this.events.push('woke'),
        confirmed: () => this.events.push('confirmed') > 0,
        failed: (reason) => {
          this.events.push(`failed ${reason}`);
          this.engine.detach();
        },
        now: () => 0,
        wallTime: () => 1_767_225_600_000,
      },
      this.counters,
      queue,
    );
  }

  /** Begins an epoch: the other side's numbers from 100, this side's from 200. */
  begin(
    link: LinkTraits,
    more: Partial<Omit<Epoch, 'other'>> & { other?: Partial<Epoch['other']> } = {},
  ): this {
    const limits = { maxPacket: 1024, window: 8, inFlight: 8, buffer: 0, ids: 0 };
    const { other, ...rest } = more;
    this.engine.begin(
      link,
      {
        continues: false,
        nextIn: 100,
        nextOut: 200,
        received: undefined,
        keepAlive: 0,
        own: { ...limits, ids: 10 },
        ...rest,
        other: { ...limits, ...other },
      },
      this.now,
    );
    return this;
  }

  channel(name: string): Channel {
    const channel = this.#channels.get(name) ?? { name };
    this.#channels.set(name, channel);
    return channel;
  }

  emit(text: string, qos: Qos, name = 'c'): string | undefined {
    const emit: OutgoingEmit<Channel> = {
      type: 'emit',
      channel: this.channel(name),
      payload: Buffer.from(text),
      qos,
      retain: false,
    };
    if (qos === 0) return this.engine.emitUnreliable(emit, this.backlog);
    const refusal = this.engine.refusal(emit.channel, emit.payload.length, true);
    if (refusal) return refusal;
    this.engine.emitReliable(emit, (reason) => this.settled.push(`${text} ${reason ?? 'ok'}`));
    return undefined;
  }

  /** One packet from the other side, in a buffer that is used for something else afterwards. */
  receive(...messages: Message[]): void {
    const packet = Buffer.from(encodePacket(messages));
    this.engine.receive(new PacketReader(packet, this.#role === 'gateway' ? 'peer' : 'gateway'), this.now);
    packet.fill(0xee);
  }

  /** Every packet that leaves now. */
  packets(): Uint8Array[] {
    const packets: Uint8Array[] = [];
    for (let packet = this.engine.poll(this.now); packet; packet = this.engine.poll(this.now)) {
      if (packets.push(packet) > 1000) throw new Error('it never stops sending');
    }
    return packets;
  }

  /** The messages that leave now. */
  sent(): Message[] {
    return this.packets().flatMap((packet) => decodePacket(packet, this.#role));
  }

  /** Moves the time to the next moment at which the engine wants to be called, and says what it sends. */
  sentAtNextWake(): Message[] {
    const at = this.engine.wakeAt();
    if (at === undefined) throw new Error('the engine waits for nothing');
    if (at < this.now) throw new Error(`the engine wanted to be called ${this.now - at} ms ago`);
    this.now = at;
    return this.sent();
  }

  /** As the gateway does. */
  #sleep(seconds: number): void {
    if (seconds === 0) this.engine.rouse();
    else this.engine.sleep(seconds * 1000, this.now);
  }

  #take(target: Channel | string, { payload, qos }: Emit): Reason | undefined {
    if (this.refusing) return this.refusing;
    const name = typeof target === 'string' ? target : target.name;
    this.taken.push(`${name}=${Buffer.from(payload).toString()}@${qos}`);
    return undefined;
  }
}

export function named(text: string, qos: Qos, seq?: number, name = 'c'): Emit {
  const payload = Buffer.from(text);
  return {
    type: 'emit',
    qos,
    retain: false,
    name,
    payload,
    ...(seq === undefined ? {} : { seq: seq & 0xffff }),
  };
}

export function ack(next: number, ...bitmap: number[]): Message {
  return { type: 'ack', next: next & 0xffff, bitmap: Uint8Array.from(bitmap) };
}

/** What a message says, in short. */
export function brief(message: Message): string {
  switch (message.type) {
    case 'emit': {
      const target = message.name ?? `${message.gatewayId ? 'G' : ''}${message.id}`;
      return `${target}=${Buffer.from(message.payload).toString()}@${message.qos}${message.seq === undefined ? '' : `#${message.seq}`}`;
    }
    case 'ack':
      return `ack ${message.next}${message.bitmap.length > 0 ? ` ${Buffer.from(message.bitmap).toString('hex')}` : ''}`;
    case 'declare':
      return `declare ${message.id} ${message.name}#${message.seq}`;
    case 'reject':
      return `reject ${message.of} ${message.reason}#${message.seq}`;
    case 'refuse':
      return `refuse ${message.reason} ${Buffer.from(message.detail).toString('hex')}`.trimEnd();
    default:
      return message.type;
  }
}
