import { Counters } from '../../src/counters.js';
import { VirtualUno } from '../../src/simulator/uno.js';

/** A virtual Uno whose line can be listened to, cut and disturbed. */
export class BenchUno extends VirtualUno {
  readonly counters: Counters;
  /** All that was written to the board so far. */
  readonly written: Buffer[] = [];
  /** All that the board sent so far, whether the cable let it through or not. */
  readonly sent: Buffer[] = [];
  /** Changes of the LED. */
  readonly led: boolean[] = [];
  /** What the cable makes of the bytes of the next millisecond. */
  cable: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes;

  readonly #line = new Set<(bytes: Uint8Array) => void>();

  constructor(flash: Uint8Array) {
    const counters = new Counters();
    super(flash, { counters });
    this.counters = counters;
    super.onData((bytes) => this.#carry(bytes));
    this.onPin(13, (high) => this.led.push(high));
  }

  override write(bytes: Uint8Array): number {
    const taken = super.write(bytes);
    this.written.push(Buffer.from(bytes.subarray(0, taken)));
    return taken;
  }

  override onData(listener: (bytes: Uint8Array) => void): () => void {
    this.#line.add(listener);
    return () => this.#line.delete(listener);
  }

  /** Puts bytes on the line from the board that it did not send. */
  disturb(bytes: Uint8Array): void {
    for (const listener of this.#line) listener(bytes);
  }

  #carry(bytes: Uint8Array): void {
    this.sent.push(Buffer.from(bytes));
    const passed = this.cable(bytes);
    if (passed.length > 0) this.disturb(passed);
  }

  /** How often the sketch has started. */
  get boots(): number {
    return Buffer.concat(this.sent).toString('latin1').split('greenhouse sensor started').length - 1;
  }
}
