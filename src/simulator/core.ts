import { CPU } from 'avr8js';

const SREG = 0x5f;
const INTERRUPTS = 0x80;

/**
 * An AVR core that lets one more instruction run before it serves an interrupt, once SEI, a write of SREG or RETI has allowed
 * them (datasheet §7.7), which `avr8js` does not. Compilers rely on it where they move the stack pointer by halves, and
 * an interrupt between those ruins the stack.
 */
export class Core extends CPU {
  /** The watchdog asks for a reset in the middle of an instruction; it happens when that is done. */
  resetWanted = false;
  /** SREG as the instruction before left it. */
  #before = 0;

  override reset(): void {
    super.reset();
    this.resetWanted = true;
  }

  override get interruptsEnabled(): boolean {
    return ((this.data[SREG] as number) & this.#before & INTERRUPTS) !== 0;
  }

  /** After each instruction: what is due by the clock happens, and a waiting interrupt is served. */
  override tick(): void {
    super.tick();
    this.#before = this.data[SREG] as number;
  }
}
