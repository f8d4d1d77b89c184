/** What the gateway holds of QoS 0 for one that sleeps: the last on each channel. */
type Kept = ReadonlyMap<string, string>;

/**
 * Who sleeps, and what came for it meanwhile at QoS 0: only the last message on each channel is held, and that is delivered
 * when it wakes (PROTOCOL.md §4.7).
 */
export class SleepBook {
  readonly #violate: (what: string) => void;
  readonly #kept = new Map<string, Map<string, string>>();
  /** By sleeper: what a later message has taken the place of. */
  readonly #superseded = new Map<string, Set<string>>();
  /** How many were held to the end of a sleep. */
  held = 0;

  constructor(violate: (what: string) => void) {
    this.#violate = violate;
  }

  asleep(identity: string): void {
    if (!this.#kept.has(identity)) this.#kept.set(identity, new Map());
  }

  /** The gateway passes on a message that is to reach a sleeper at QoS 0. */
  passed(identity: string, channel: string, text: string): void {
    const kept = this.#kept.get(identity);
    if (!kept) return;
    const older = kept.get(channel);
    kept.set(channel, text);
    this.#supersededOf(identity).delete(text);
    if (older !== undefined && older !== text) this.#supersededOf(identity).add(older);
  }

  /** The sleep is over. Returns what is to be delivered now. */
  awake(identity: string): Kept {
    const kept = this.#kept.get(identity) ?? new Map<string, string>();
    this.#kept.delete(identity);
    this.held += kept.size;
    return kept;
  }

  /** What was held is gone: the peer, or the gateway's process, is. */
  gone(identity: string): void {
    this.#kept.delete(identity);
  }

  /** The message reaches an awake peer as well, by another emit. */
  forgive(identity: string, text: string): void {
    this.#superseded.get(identity)?.delete(text);
  }

  delivered(identity: string, text: string): void {
    if (this.#superseded.get(identity)?.has(text))
      this.#violate(`${identity} got ${text}, which a later one took the place of in its sleep`);
  }

  #supersededOf(identity: string): Set<string> {
    let superseded = this.#superseded.get(identity);
    if (!superseded) {
      superseded = new Set();
      this.#superseded.set(identity, superseded);
    }
    return superseded;
  }
}
