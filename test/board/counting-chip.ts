import { AVRTimer, avrInstruction, timer0Config } from 'avr8js';
import { Core } from '../../src/simulator/core.js';
import { Usart } from '../../src/simulator/usart.js';
import type { Program } from './program.js';

/** The crystal of an Uno. */
export const CYCLES_PER_US = 16;
const CYCLES_PER_MS = 1000 * CYCLES_PER_US;

const SRAM_BYTES = 2048;
const TOP_OF_STACK = 0x08ff;
const GPIOR0 = 0x3e;
const GPIOR1 = 0x4a;
const RETI = 0x9518;
/** The chip takes four cycles to an interrupt, of which avr8js counts two (datasheet §7.7.1). */
const TO_INTERRUPT_CYCLES = 4;

/** What the probe writes to GPIOR0. */
export const CALLS = ['', 'begin', 'receive', 'poll', 'emit', 'other'] as const;
export type CallName = (typeof CALLS)[number];

/** One call of the library, from its arguments to its return. */
export interface Call {
  readonly name: CallName;
  /** Clock cycles in it, without those of the UART's driver and of interrupts. */
  readonly cycles: number;
}

/** An ATmega328P that runs the probe, and counts what each call of the library costs. */
export class CountingChip {
  readonly #core: Core;
  readonly #usart: Usart;
  readonly #program: Program;
  readonly #driver: ReadonlySet<number>;
  readonly #toBoard: number[] = [];
  #skippedMs = 0;
  #call: CallName = '';
  #cycles = 0;
  #lowestStack = TOP_OF_STACK;
  /** The stack pointer at the driver's entry, above which it has returned; 0: not in the driver. */
  #driverStack = 0;
  #interrupted = false;
  #interruptCycles = 0;
  #interruptStack = 0;
  #mostOfInterrupt = { cycles: 0, stack: 0 };

  onCall: (call: Call) => void = () => {};
  /** A turn of the probe's loop begins: it may be given an order. */
  onTurn: () => void = () => {};
  onSent: (byte: number) => void = () => {};

  constructor(program: Program) {
    this.#program = program;
    const flash = new Uint8Array(32 * 1024).fill(0xff);
    flash.set(program.flash);
    const core = new Core(new Uint16Array(flash.buffer), SRAM_BYTES);
    this.#core = core;
    // A reset leaves it at the top of the stack; avr8js at zero, until the start-up code sets it.
    core.SP = TOP_OF_STACK;
    this.#driver = new Set(['uart_room', 'uart_write'].map((name) => program.symbol(name) / 2));
    new AVRTimer(core, timer0Config);
    this.#usart = new Usart(core, {
      sent: (byte) => this.onSent(byte),
      next: () => this.#toBoard.shift(),
      lost: (reason) => {
        throw new Error(`the probe lost a byte: ${reason}`);
      },
    });
    core.writeHooks[GPIOR0] = (value) => {
      this.#mark(CALLS[value] as CallName);
      return true;
    };
    core.writeHooks[GPIOR1] = () => {
      core.dataView.setUint32(program.variable('now'), Math.floor(this.ms), true);
      this.onTurn();
      return true;
    };
  }

  /** Milliseconds of the probe's clock. */
  get ms(): number {
    return this.#core.cycles / CYCLES_PER_MS + this.#skippedMs;
  }

  /** Bytes of stack that the whole program has used, interrupts aside: its own frame, the library's and the driver's. */
  get stack(): number {
    return TOP_OF_STACK - this.#lowestStack;
  }

  /** Of an interrupt of the UART: the most clock cycles that the program lost to it, the most bytes of stack. */
  get interrupt(): { readonly cycles: number; readonly stack: number } {
    return this.#mostOfInterrupt;
  }

  /** Lets the probe's clock pass without its program running. */
  skip(ms: number): void {
    this.#skippedMs += ms;
  }

  /** Puts bytes on the line to the board. */
  write(bytes: Uint8Array): void {
    this.#toBoard.push(...bytes);
    this.#usart.wake();
  }

  /** The first byte of the probe's variable. */
  peek(name: string): number {
    return this.#core.data[this.#program.variable(name)] as number;
  }

  poke(name: string, bytes: Uint8Array): void {
    this.#core.data.set(bytes, this.#program.variable(name));
  }

  /** Runs until `done`, asked at each turn of the probe's loop. Throws after `limitMs` of the chip's own time. */
  runUntil(done: () => boolean, what: string, limitMs = 2000): void {
    const end = this.#core.cycles + limitMs * CYCLES_PER_MS;
    const turn = this.onTurn;
    let finished = done();
    this.onTurn = () => {
      finished = done();
      if (!finished) turn();
    };
    while (!finished) {
      this.#step();
      if (this.#core.cycles > end)
        throw new Error(`the probe has not come to this in ${limitMs} ms: ${what}`);
    }
    this.onTurn = turn;
  }

  #step(): void {
    const core = this.#core;
    const { pc, cycles } = core;
    const returning = core.progMem[pc] === RETI;
    if (this.#driverStack === 0 && this.#driver.has(pc)) this.#driverStack = core.SP;
    avrInstruction(core);
    this.#count(core.cycles - cycles, returning);
    const next = core.pc;
    const before = core.SP;
    core.tick();
    if (core.pc === next) return;
    this.#interrupted = true;
    this.#interruptStack = before;
    core.cycles += TO_INTERRUPT_CYCLES - 2;
    this.#interruptCycles = TO_INTERRUPT_CYCLES;
  }

  #count(spent: number, returning: boolean): void {
    const { SP } = this.#core;
    if (this.#interrupted) {
      const { cycles, stack } = this.#mostOfInterrupt;
      this.#interruptCycles += spent;
      this.#mostOfInterrupt = {
        cycles: Math.max(cycles, this.#interruptCycles),
        stack: Math.max(stack, this.#interruptStack - SP),
      };
      if (returning) this.#interrupted = false;
      return;
    }
    if (SP < this.#lowestStack) this.#lowestStack = SP;
    if (this.#driverStack === 0) this.#cycles += spent;
    else if (SP > this.#driverStack) this.#driverStack = 0;
  }

  #mark(name: CallName): void {
    if (this.#call) this.onCall({ name: this.#call, cycles: this.#cycles });
    this.#call = name;
    // The cycle of the mark itself comes on top of it.
    this.#cycles = -1;
  }
}
