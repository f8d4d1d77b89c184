/**
 * Packet identifiers of messages of QoS 2 that were taken from the client and that it has not released (MQTT 5, 4.3.3): what comes
 * again under one of them is a duplicate. And how many of them the client has to count against its quota (4.9), which
 * begins anew with each connection.
 */
export class TakenIds {
  /** With each, whether it was sent over the connection that stands. */
  readonly #ids = new Map<number, boolean>();
  #counted = 0;

  /** How many count against the quota. */
  get counted(): number {
    return this.#counted;
  }

  has(id: number): boolean {
    return this.#ids.has(id);
  }

  /** A message came under this identifier, for the first time or again. */
  add(id: number): void {
    if (this.#ids.get(id) !== true) this.#counted++;
    this.#ids.set(id, true);
  }

  /** Returns whether it was taken. */
  release(id: number): boolean {
    if (this.#ids.get(id) === true) this.#counted--;
    return this.#ids.delete(id);
  }

  /** Another connection begins. */
  restart(): void {
    for (const id of this.#ids.keys()) this.#ids.set(id, false);
    this.#counted = 0;
  }

  /** Takes up those that a recorder kept. */
  restore(ids: readonly number[]): void {
    for (const id of ids) this.#ids.set(id, false);
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#ids.keys();
  }
}
