import type { UpstreamRecords } from '../upstream.js';

const NAME = 'session';
const PATTERNS = 'patterns';
const RELEASED = 'released/';
const RECEIVED = 'received/';
const NOTHING = new Uint8Array();

/**
 * What this gateway remembers of its session at the broker (MQTT 5, 4.1): it outlives the connection, and the process where there is a
 * store. It is of use only together with what the broker remembers.
 */
export class BrokerSession {
  readonly #records: UpstreamRecords;
  readonly #name: string;
  /** Messages of QoS 2 that the broker has, and that it was or will be told to pass on (PUBREL), by their records. */
  readonly #released = new Set<number>();
  /** Packet identifiers of messages of QoS 2 that are here, and that the broker has not released. */
  readonly #received = new Set<number>();
  /** What is subscribed at the broker, or may be. */
  #patterns = new Set<string>();
  /** Grows whenever a new session begins. */
  epoch = 0;
  /** The broker seems to hold messages of QoS 2 that nobody here knows any more. */
  crowded = false;

  /** `name`: which session of which broker. What is kept of another one is of no use. */
  constructor(records: UpstreamRecords, name: string) {
    this.#records = records;
    this.#name = name;
    if (!this.known) return;
    for (const [key] of records.entries()) {
      if (key.startsWith(RELEASED)) this.#released.add(Number.parseInt(key.slice(RELEASED.length), 36));
      if (key.startsWith(RECEIVED)) this.#received.add(Number.parseInt(key.slice(RECEIVED.length), 36));
    }
    const patterns = records.get(PATTERNS);
    if (patterns) this.#patterns = new Set(JSON.parse(Buffer.from(patterns).toString()) as string[]);
  }

  /** Whether anything of it is remembered: else what the broker remembers of it is of another life. */
  get known(): boolean {
    const name = this.#records.get(NAME);
    return name !== undefined && Buffer.from(name).toString() === this.#name;
  }

  /** The broker knows nothing of it: it begins anew. */
  begin(): void {
    this.epoch++;
    this.crowded = false;
    const keys = Array.from(this.#records.entries(), ([key]) => key);
    for (const key of keys.filter(isOurs)) this.#records.delete(key);
    this.#released.clear();
    this.#received.clear();
    this.#patterns.clear();
    this.#records.put(NAME, Buffer.from(this.#name));
  }

  /** Calls `task` when all that is remembered now will survive a power cut. */
  settled(task: () => void): void {
    this.#records.settled(task);
  }

  /** In their order. */
  get released(): number[] {
    return [...this.#released].sort((a, b) => a - b);
  }

  release(record: number): void {
    this.#released.add(record);
    this.#records.put(RELEASED + record.toString(36), NOTHING);
  }

  /** The broker has passed it on: nothing more is said of it. */
  complete(record: number): void {
    if (this.#released.delete(record)) this.#records.delete(RELEASED + record.toString(36));
  }

  hasReceived(id: number): boolean {
    return this.#received.has(id);
  }

  receive(id: number): void {
    this.#received.add(id);
    this.#records.put(RECEIVED + id.toString(36), NOTHING);
  }

  /** The broker will not send that message again. */
  forget(id: number): void {
    if (this.#received.delete(id)) this.#records.delete(RECEIVED + id.toString(36));
  }

  get patterns(): ReadonlySet<string> {
    return this.#patterns;
  }

  keepPatterns(patterns: Iterable<string>): void {
    this.#patterns = new Set(patterns);
    this.#records.put(PATTERNS, Buffer.from(JSON.stringify([...this.#patterns])));
  }
}

/** Others keep something there, too. */
function isOurs(key: string): boolean {
  return key === NAME || key === PATTERNS || key.startsWith(RELEASED) || key.startsWith(RECEIVED);
}
