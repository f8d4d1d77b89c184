import type { Clock } from '../../clock.js';

/**
 * Output commit: what tells the broker of something leaves when that will survive a power cut. What is said in one turn of the event loop
 * waits for one commit. The order stays.
 */
export class SafeBytes {
  readonly #clock: Clock;
  readonly #settled: (task: () => void) => void;
  readonly #send: (bytes: Uint8Array) => void;
  #batch: Uint8Array[] = [];

  /** `settled` calls back when all that has changed until now is safe; then `send` is given the bytes. */
  constructor(clock: Clock, settled: (task: () => void) => void, send: (bytes: Uint8Array) => void) {
    this.#clock = clock;
    this.#settled = settled;
    this.#send = send;
  }

  send(bytes: Uint8Array): void {
    this.#batch.push(bytes);
    if (this.#batch.length === 1) this.#clock.defer(() => this.flush(() => {}));
  }

  /** Calls `done` when all that was to be sent until now is. */
  flush(done: () => void): void {
    const batch = this.#batch;
    this.#batch = [];
    this.#settled(() => {
      for (const bytes of batch) this.#send(bytes);
      done();
    });
  }
}
