/** Identifiers up to 65,535, two bits each. */
const ALL_BYTES = 16_384;
const FIRST_BYTES = 16;
/** Of each: it is taken; and it was sent over the connection that stands. */
const TAKEN = 1;
const COUNTED = 2;
const ALL_TAKEN = 0b01010101;

/**
 * Packet identifiers of messages of QoS 2 that were taken from the client and that it has not released (MQTT 5, 4.3.3): what comes
 * again under one of them is a duplicate. And how many of them the client has to count against its quota (4.9), which
 * begins anew with each connection. A client may take all there are: they are bits.
 */
export class TakenIds {
  #bits: Uint8Array = new Uint8Array();
  #size = 0;
  #counted = 0;

  /** How many count against the quota. */
  get counted(): number {
    return this.#counted;
  }

  has(id: number): boolean {
    return (this.#get(id) & TAKEN) !== 0;
  }

  /** A message came under this identifier, for the first time or again. */
  add(id: number): void {
    const before = this.#get(id);
    if ((before & TAKEN) === 0) this.#size++;
    if ((before & COUNTED) === 0) this.#counted++;
    this.#set(id, TAKEN | COUNTED);
  }

  /** Returns whether it was taken. */
  release(id: number): boolean {
    const before = this.#get(id);
    if (before === 0) return false;
    if ((before & COUNTED) !== 0) this.#counted--;
    this.#size--;
    this.#set(id, 0);
    return true;
  }

  /** Another connection begins. */
  restart(): void {
    this.#bits = this.#size === 0 ? new Uint8Array() : this.#bits.map((four) => four & ALL_TAKEN);
    this.#counted = 0;
  }

  /** Takes up those that a recorder kept. */
  restore(ids: readonly number[]): void {
    for (const id of ids) {
      if (!this.has(id)) this.#size++;
      this.#set(id, TAKEN);
    }
  }

  *[Symbol.iterator](): Generator<number, void> {
    for (let at = 0, left = this.#size; left > 0; at++) {
      if (this.#bits[at] === 0) continue;
      for (let id = at * 4; id < at * 4 + 4; id++) {
        if (!this.has(id)) continue;
        left--;
        yield id;
      }
    }
  }

  #get(id: number): number {
    return ((this.#bits[id >> 2] ?? 0) >> shiftOf(id)) & 3;
  }

  #set(id: number, value: number): void {
    const at = id >> 2;
    if (at >= this.#bits.length) {
      let bytes = Math.max(FIRST_BYTES, this.#bits.length);
      while (bytes <= at) bytes *= 2;
      const grown = new Uint8Array(Math.min(bytes, ALL_BYTES));
      grown.set(this.#bits);
      this.#bits = grown;
    }
    const others = (this.#bits[at] as number) & ~(3 << shiftOf(id));
    this.#bits[at] = others | (value << shiftOf(id));
  }
}

/** Where in its byte an identifier's two bits are. */
function shiftOf(id: number): number {
  return 2 * (id & 3);
}
