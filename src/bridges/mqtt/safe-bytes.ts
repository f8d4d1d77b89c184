import type { Clock } from '../../clock.js';

/**
 * Answers that wait may have no more bytes than this, about: a broker that speaks and does not read would have them fill the memory. It is
 * those of a million messages.
 */
const MAX_BYTES = 4 * 1_048_576;

/** Where the bytes go to. */
export interface SafeBytesWire {
  /** Bytes that the system has taken until now, and those that it has not. */
  readonly takenBytes: number;
  readonly unsentBytes: number;
  send(bytes: Uint8Array): void;
}

/**
 * Output commit: what tells the broker of something leaves when that will survive a power cut. What is said in one turn of the event loop
 * waits for one commit. The order stays.
 */
export class SafeBytes {
  readonly #clock: Clock;
  readonly #settled: (task: () => void) => void;
  readonly #wire: SafeBytesWire;
  readonly #overflow: () => void;
  #batch: Uint8Array[] = [];
  /** Bytes that are not safe. */
  #unsafe = 0;
  /** Bytes that were sent since the wire had taken `#mark`, behind which there was nothing then. */
  #sent = 0;
  #mark = 0;

  /**
   * `settled` calls back when all that has changed until now is safe; then `wire` is given the bytes. `overflow` is called when too many wait.
   */
  constructor(clock: Clock, settled: (task: () => void) => void, wire: SafeBytesWire, overflow: () => void) {
    this.#clock = clock;
    this.#settled = settled;
    this.#wire = wire;
    this.#overflow = overflow;
  }

  send(bytes: Uint8Array): void {
    this.#unsafe += bytes.length;
    if (this.#unsafe > MAX_BYTES || this.#sent > MAX_BYTES) return this.#overflow();
    this.#batch.push(bytes);
    if (this.#batch.length === 1) this.#clock.defer(() => this.flush(() => {}));
  }

  /** Calls `done` when all that was to be sent until now is. */
  flush(done: () => void): void {
    const batch = this.#batch;
    this.#batch = [];
    this.#settled(() => {
      for (const bytes of batch) this.#sendNow(bytes);
      done();
    });
  }

  #sendNow(bytes: Uint8Array): void {
    const { takenBytes, unsentBytes } = this.#wire;
    if (takenBytes >= this.#mark) {
      this.#mark = takenBytes + unsentBytes;
      this.#sent = 0;
    }
    this.#unsafe -= bytes.length;
    this.#sent += bytes.length;
    this.#wire.send(bytes);
  }
}
