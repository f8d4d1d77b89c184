import type { Interest, RefusalReason } from '../../../src/bridges/upstream.js';
import { hasExpired } from '../../../src/router/message.js';
import type { Qos } from '../../../src/wire/messages.js';
import { plainlyMatches } from '../../router/inbox.js';
import { Random } from '../random.js';
import type { VirtualClock } from '../virtual-clock.js';
import { BrokerNode, BrokerSession, type RemoteMessage } from './session.js';

/** What the connections to a broker do. All are in ms but `loss`. */
export interface BrokerFaults {
  /** What a frame takes in each direction: the first up to both together. */
  readonly delay: number;
  readonly jitter: number;
  /** What an acknowledgement takes besides, at most: they overtake each other. */
  readonly ackDelay: number;
  /** The chance that a connection breaks with a frame: how many of those under way arrive is chance as well. */
  readonly loss: number;
  /** How long it takes a client to find out that its connection broke, at most. */
  readonly notice: number;
}

export const NO_FAULTS: BrokerFaults = { delay: 1, jitter: 0, ackDelay: 0, loss: 0, notice: 0 };

/** A message that the broker took. */
export interface Taken extends RemoteMessage {
  readonly text: string;
  /** The client that it came from. */
  readonly from: string;
  readonly at: number;
}

/** Where a message comes from. */
interface Origin {
  readonly client: string;
  readonly node?: BrokerNode;
}

/** What a gateway said under one number, and whether the broker has it. */
interface SentRecord {
  readonly print: string;
  taken: boolean;
}

export interface BrokerOptions {
  readonly faults?: Partial<BrokerFaults>;
  /** Where clients connect to, one of them by chance; 1 if left out. */
  readonly nodes?: number;
  /** QoS 1 brings no duplicates either, as with JetStream; true if left out. QoS 2 never does. */
  readonly exactlyOnce?: boolean;
  /** A client hears itself if it subscribed to what it publishes; false if left out. */
  readonly echo?: boolean;
  /** How many messages of QoS 1 and 2 a connection takes unsettled, at most; 10 if left out. */
  readonly window?: number;
}

/**
 * A broker, or a cluster of them, in virtual time, with what all of the real ones promise and no more: a session for every client, which
 * holds messages of QoS 1 and 2 until they are acknowledged; last values; a record that is published again is known again.
 * Its clients are `SimulatedUpstream`s, whose mistakes in using it are `violations`.
 */
export class SimulatedBroker {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly nodes: readonly BrokerNode[];
  faults: BrokerFaults;
  readonly exactlyOnce: boolean;
  readonly echo: boolean;
  readonly window: number;
  /** All that it took, in order. */
  readonly taken: Taken[] = [];
  readonly lastValues = new Map<string, RemoteMessage>();
  /** What was done by a client that the seam does not allow, and when. */
  readonly violations: string[] = [];
  /** What it will never take. */
  refusal: (message: RemoteMessage) => { reason: RefusalReason; why: string } | undefined = () => undefined;
  /** For what of QoS 1 and 2 a node closes the connection, in place of an answer. */
  minds: (message: RemoteMessage, node: BrokerNode) => boolean = () => false;
  /** What it does not let anybody hear, and why. */
  interestRefusal: (pattern: string) => string | undefined = () => undefined;
  readonly #sessions = new Map<string, BrokerSession>();
  /** By sender and number. */
  readonly #records = new Map<string, SentRecord>();

  constructor(clock: VirtualClock, seed: number, options: BrokerOptions = {}) {
    this.clock = clock;
    this.random = new Random(seed);
    this.faults = { ...NO_FAULTS, ...options.faults };
    this.nodes = Array.from({ length: options.nodes ?? 1 }, (_, n) => new BrokerNode(`node${n + 1}`));
    this.exactlyOnce = options.exactlyOnce ?? true;
    this.echo = options.echo ?? false;
    this.window = options.window ?? 10;
  }

  session(client: string): BrokerSession {
    let session = this.#sessions.get(client);
    if (!session) {
      session = new BrokerSession(client, this.clock);
      this.#sessions.set(client, session);
    }
    return session;
  }

  /** What clients ask to hear, by pattern. */
  interestsOf(client: string): Record<string, Qos> {
    const { interests } = this.session(client);
    return Object.fromEntries(interests.map(({ pattern, qos }) => [pattern, qos]));
  }

  /** Cuts the connection of that client, or of all. */
  cut(client?: string): void {
    for (const session of this.#sessions.values())
      if (client === undefined || session.client === client) session.consumer?.cut();
  }

  /** Nobody can connect any more, to that node or at all, and nobody is. What it keeps it keeps. */
  stop(node?: BrokerNode): void {
    for (const one of node ? [node] : this.nodes) {
      one.up = false;
      one.waiting.length = 0;
    }
    for (const { consumer } of this.#sessions.values()) if (consumer?.node.up === false) consumer.cut();
  }

  start(node?: BrokerNode): void {
    for (const one of node ? [node] : this.nodes) one.up = true;
  }

  /** The network between that node and the others breaks; who is connected to it notices nothing of that. */
  isolate(node: BrokerNode): void {
    node.isolated = true;
  }

  heal(node: BrokerNode): void {
    node.isolated = false;
    for (const task of node.waiting.splice(0)) task();
    for (const session of this.#sessions.values()) session.pump();
  }

  knows(client: string): boolean {
    return this.#sessions.has(client);
  }

  /** It has lost what it knew of its clients, as after a restart without a disk. */
  forgetSessions(): void {
    for (const session of this.#sessions.values()) session.consumer?.cut();
    this.#sessions.clear();
  }

  subscribe(client: string, interests: readonly Interest[]): void {
    const session = this.session(client);
    const before = this.interestsOf(client);
    session.interests = interests;
    for (const { pattern, qos } of interests) {
      if (before[pattern] === qos) continue;
      for (const [name, value] of this.lastValues)
        if (plainlyMatches(pattern, name) && !hasExpired(value, this.clock.now()))
          session.take(value, qos, true);
    }
  }

  /** Emits as a program that has nothing to do with gateways. */
  publish(name: string, text: string, more: Partial<RemoteMessage> = {}): void {
    const payload = Buffer.from(text);
    const message = { name, payload, qos: 1 as Qos, retain: false, properties: undefined, via: [] };
    this.take({ expiresAt: undefined, ...message, ...more }, { client: 'outsider' });
  }

  /** Whether the sender meant the same with that number whenever it said it. */
  isRecord(sender: string, number: number, print: string): boolean {
    return this.#record(sender, number, print).print === print;
  }

  /** Takes a record, but for one that it has already; at QoS 1 that only if it is to bring no duplicates. */
  takeRecord(sender: string, number: number, message: RemoteMessage, from: Origin): void {
    const record = this.#record(sender, number, '');
    if (record.taken && (this.exactlyOnce || message.qos === 2)) return;
    record.taken = true;
    this.take(message, from);
  }

  /** Takes a message and passes it on. */
  take(message: RemoteMessage, from: Origin): void {
    this.taken.push({
      ...message,
      from: from.client,
      at: this.clock.now(),
      text: Buffer.from(message.payload).toString(),
    });
    if (message.retain && !from.node?.isolated) {
      if (message.payload.length > 0) this.lastValues.set(message.name, message);
      else this.lastValues.delete(message.name);
    }
    for (const session of this.#sessions.values()) {
      if (session.client === from.client && !this.echo) continue;
      const interest = session.interests.find(({ pattern }) => plainlyMatches(pattern, message.name));
      if (interest) session.take(message, interest.qos, false, from.node);
    }
  }

  #record(sender: string, number: number, print: string): SentRecord {
    const key = `${sender} ${number}`;
    let record = this.#records.get(key);
    if (!record) {
      record = { print, taken: false };
      this.#records.set(key, record);
    }
    return record;
  }

  /** A client did what the seam does not allow. */
  violation(client: string, what: string): void {
    this.violations.push(`${client} at ${this.clock.now()} ms: ${what}`);
  }
}
