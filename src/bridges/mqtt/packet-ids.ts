/** Packet identifiers from 1 to this are of messages, those above of subscriptions. */
export const MESSAGE_IDS = 64_000;
const LAST_ID = 65_535;

/**
 * The packet identifier of a message. It follows from its number among those of the bridge, so that after a restart the message has the
 * same one, by which the broker knows a message of QoS 2 again (MQTT 5, 4.4), and nothing needs to be kept for it.
 */
export function idOfRecord(record: number): number {
  return 1 + (record % MESSAGE_IDS);
}

/** Gives SUBSCRIBE and UNSUBSCRIBE identifiers that no message has: a `messageIdProvider` of the `mqtt` package. */
export class SubscriptionIds {
  readonly #taken = new Set<number>();
  #last = LAST_ID;

  /** null when all are taken. */
  allocate(): number | null {
    for (let tries = MESSAGE_IDS; tries < LAST_ID; tries++) {
      this.#last = this.#last === LAST_ID ? MESSAGE_IDS + 1 : this.#last + 1;
      if (this.register(this.#last)) return this.#last;
    }
    return null;
  }

  getLastAllocated(): number {
    return this.#last;
  }

  register(id: number): boolean {
    if (this.#taken.has(id)) return false;
    this.#taken.add(id);
    return true;
  }

  deallocate(id: number): void {
    this.#taken.delete(id);
  }

  clear(): void {
    this.#taken.clear();
  }
}
