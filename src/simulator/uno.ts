import { randomFillSync } from 'node:crypto';
import { type EEPROMBackend, EEPROMMemoryBackend } from 'avr8js';
import { type Clock, systemClock } from '../clock.js';
import { Counters } from '../counters.js';
import { SlipwayError } from '../errors.js';
import { roomTemperature } from './analog.js';
import { ByteQueue } from './byte-queue.js';
import { CAUSE, Chip, CYCLES_PER_MS, type Remains } from './chip.js';
import { FLASH_BYTES } from './intel-hex.js';
import { Pacer } from './pacer.js';

/** Bytes that the host may have written and the line not yet carried: what an operating system's driver would hold. */
export const HOST_QUEUE_BYTES = 4096;

const EEPROM_BYTES = 1024;
const DATA_BYTES = 0x100 + 2048;
/** How often what the board sent is handed out, in ms of its time. */
const STEP_MS = 1;

export interface UnoOptions {
  /** Volts at analog input `channel`, 0 to 7, at `ms` since power-on. Default: `roomTemperature()`. */
  readonly analog?: (channel: number, ms: number) => number;
  /** Keeps its content over resets and power cycles. Default: erased, in memory. */
  readonly eeprom?: EEPROMBackend;
  /** Fills SRAM at power-on, which is arbitrary on a real chip. Default: random bytes. */
  readonly fillSram?: (sram: Uint8Array) => void;
  /** Told of bytes that never reached the sketch: `uno.drop.queue_full`, `.receiver_off`, `.overrun`. */
  readonly counters?: Counters;
  /** What paces the board between `start()` and `stop()`. Default: the real clock. */
  readonly clock?: Clock;
}

/**
 * An Arduino Uno: an ATmega328P at 16 MHz that runs real machine code, with its UART, LED and reset line led out.
 *
 * It runs in one of two ways: paced by the clock between `start()` and `stop()`, or only within `runFor()`, as fast as the machine
 * can, for tests. Not modelled: sleep modes (SLEEP does nothing), SPI, TWI, self-programming, the clock prescaler and
 * the bootloader (the sketch starts at once).
 */
export class VirtualUno {
  readonly #flash: Uint8Array;
  readonly #options: UnoOptions;
  readonly #eeprom: EEPROMBackend;
  readonly #analog: (channel: number, ms: number) => number;
  readonly #counters: Counters;
  readonly #pacer: Pacer;
  readonly #dataListeners = new Set<(bytes: Uint8Array) => void>();
  readonly #pinListeners = new Map<number, Set<(high: boolean) => void>>();
  readonly #roomListeners = new Set<() => void>();
  readonly #toBoard = new ByteQueue(HOST_QUEUE_BYTES);
  readonly #levels = new Set<number>();
  #chip: Chip;
  /** Cycles since power-on that the chip should have run. It overshoots by the length of an instruction. */
  #due = 0;
  #sent: number[] = [];

  /**
   * @param flash the program as `parseIntelHex` gives it, at most 32 KiB
   * @throws SlipwayError `firmware_invalid` when `flash` is empty or too large
   */
  constructor(flash: Uint8Array, options: UnoOptions = {}) {
    if (flash.length === 0 || flash.length > FLASH_BYTES) {
      throw new SlipwayError(
        'firmware_invalid',
        `a firmware of ${flash.length} bytes; it must be 1 to ${FLASH_BYTES}`,
      );
    }
    this.#flash = flash;
    this.#options = options;
    this.#eeprom = options.eeprom ?? new EEPROMMemoryBackend(EEPROM_BYTES);
    this.#analog = options.analog ?? roomTemperature();
    this.#counters = options.counters ?? new Counters();
    this.#pacer = new Pacer((ms) => this.#advance(ms), options.clock ?? systemClock);
    this.#chip = this.#powerOn();
  }

  get running(): boolean {
    return this.#pacer.running;
  }

  /** Milliseconds of the board's own time since power-on. */
  get ms(): number {
    return this.#chip.cycles / CYCLES_PER_MS;
  }

  /** Milliseconds that the board has fallen behind the clock and will not catch up, because the machine was busy. */
  get lostMs(): number {
    return this.#pacer.lostMs;
  }

  /** Bytes written and not yet on the line. */
  get pending(): number {
    return this.#toBoard.length;
  }

  /** Bytes that `write` takes now. */
  get room(): number {
    return HOST_QUEUE_BYTES - this.pending;
  }

  /** Powers the board on and runs it at its own speed until `stop()`. Does nothing when it runs. */
  start(): void {
    if (this.running) return;
    this.#chip.halt();
    this.#chip = this.#powerOn();
    this.#pacer.start();
  }

  /** Powers the board off. The EEPROM keeps its content. */
  stop(): void {
    this.#pacer.stop();
    this.#sent = [];
    this.discardPending();
  }

  /** Presses the reset button, or pulses DTR: the sketch starts anew, SRAM and EEPROM keep their content. */
  reset(): void {
    this.#boot(CAUSE.reset);
  }

  /**
   * Runs the board for `ms` of its own time, at once.
   *
   * @throws SlipwayError `simulator_running` between `start()` and `stop()`
   */
  runFor(ms: number): void {
    if (this.running)
      throw new SlipwayError('simulator_running', 'the board is running by the clock; stop() it first');
    for (let left = ms; left > 0; left -= STEP_MS) this.#advance(Math.min(STEP_MS, left));
  }

  /**
   * Puts bytes on the line to the board, which carries them no faster than the baud rate that the sketch has set. At most
   * `HOST_QUEUE_BYTES` wait; what does not fit is dropped and counted.
   *
   * @returns how many bytes were taken
   */
  write(bytes: Uint8Array): number {
    const taken = this.#toBoard.push(bytes);
    if (taken < bytes.length) this.#counters.add('uno.drop.queue_full', bytes.length - taken);
    this.#chip.usart.wake();
    return taken;
  }

  /** Calls `listener` with what the board sends, every millisecond of its time. Returns the function that ends it. */
  onData(listener: (bytes: Uint8Array) => void): () => void {
    this.#dataListeners.add(listener);
    return () => this.#dataListeners.delete(listener);
  }

  /** Calls `listener` when bytes that `write` took have gone, so that it takes more. Returns the function that ends it. */
  onRoom(listener: () => void): () => void {
    this.#roomListeners.add(listener);
    return () => this.#roomListeners.delete(listener);
  }

  /**
   * Calls `listener` at each change of the level that the board drives on a pin, 0 to 19 as printed on an Uno (14 is A0). Pin 13 is the LED.
   * A pin that is no output counts as low. Returns the function that ends it.
   */
  onPin(pin: number, listener: (high: boolean) => void): () => void {
    const listeners = this.#pinListeners.get(pin) ?? new Set();
    this.#pinListeners.set(pin, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Forgets what waits in `write`'s queue, as closing a port does. */
  discardPending(): void {
    this.#toBoard.clear();
  }

  #advance(ms: number): void {
    const waiting = this.pending;
    this.#due += ms * CYCLES_PER_MS;
    while (this.#chip.cycles < this.#due) {
      const chip = this.#chip;
      chip.runUntil(this.#due);
      // Unless a listener pressed reset meanwhile, a chip that stopped early was bitten by its watchdog.
      if (chip === this.#chip && chip.wantsReset) this.#boot(CAUSE.watchdog);
    }
    if (this.#sent.length > 0) {
      const bytes = Uint8Array.from(this.#sent);
      this.#sent = [];
      for (const listener of this.#dataListeners) listener(bytes);
    }
    if (this.pending < waiting) for (const listener of this.#roomListeners) listener();
  }

  #powerOn(): Chip {
    const data = new Uint8Array(DATA_BYTES);
    this.#due = 0;
    (this.#options.fillSram ?? randomFillSync)(data);
    return this.#insert(CAUSE.powerOn, { cycles: 0, data });
  }

  #boot(cause: number): void {
    const old = this.#chip;
    old.halt();
    this.#chip = this.#insert(cause, old.remains);
  }

  #insert(cause: number, before: Remains): Chip {
    for (const pin of this.#levels) this.#setPin(pin, false); // A reset makes every pin an input.
    const chip = new Chip(
      this.#flash,
      {
        eeprom: this.#eeprom,
        analog: this.#analog,
        pin: (pin, high) => this.#setPin(pin, high),
        sent: (byte) => this.#sent.push(byte),
        next: () => this.#toBoard.shift(),
        lost: (reason) => this.#counters.add(`uno.drop.${reason}`),
      },
      cause,
      before,
    );
    chip.usart.wake();
    return chip;
  }

  #setPin(pin: number, high: boolean): void {
    if (high) this.#levels.add(pin);
    else this.#levels.delete(pin);
    for (const listener of this.#pinListeners.get(pin) ?? []) listener(high);
  }
}
