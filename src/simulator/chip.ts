import {
  ADCMuxInputType,
  AVRADC,
  AVRClock,
  AVREEPROM,
  AVRIOPort,
  AVRTimer,
  AVRWatchdog,
  adcConfig,
  avrInstruction,
  type CPU,
  type EEPROMBackend,
  portBConfig,
  portCConfig,
  portDConfig,
  timer0Config,
  timer1Config,
  timer2Config,
  watchdogConfig,
} from 'avr8js';
import { Core } from './core.js';
import { FLASH_BYTES } from './intel-hex.js';
import { Usart, type UsartWires } from './usart.js';

/** The crystal of an Uno. */
const CLOCK_HZ = 16_000_000;
export const CYCLES_PER_MS = CLOCK_HZ / 1000;

const SRAM_BYTES = 2048;
/** Below it lie the registers, which a reset clears; above it SRAM, which it keeps. */
const SRAM_START = 0x100;
const MCUSR = 0x54;
const LAST_WORD = FLASH_BYTES / 2 - 1;

/** What started the chip, as bits of MCUSR (datasheet §11.9.1). */
export const CAUSE = { powerOn: 0x01, reset: 0x02, watchdog: 0x08 } as const;

/** What a chip is soldered to. */
export interface Board extends UsartWires {
  readonly eeprom: EEPROMBackend;
  /** Volts at analog input `channel`, 0 to 7, at `ms` since power-on. */
  analog(channel: number, ms: number): number;
  /** The level that the chip drives on an Uno's pin, 0 to 19, has changed. */
  pin(pin: number, high: boolean): void;
}

/** What a chip leaves to the one that starts after a reset. */
export interface Remains {
  readonly cycles: number;
  readonly data: Uint8Array;
}

/** One run of an ATmega328P, from a reset to the next. Time is the count of its clock cycles, which resets do not turn back. */
export class Chip {
  readonly usart: Usart;
  readonly #core: Core;

  /**
   * @param flash the program, at most 32 KiB
   * @param cause bits of `CAUSE`
   * @param before the SRAM and the time to start with
   */
  constructor(flash: Uint8Array, board: Board, cause: number, before: Remains) {
    const program = new Uint8Array(FLASH_BYTES).fill(0xff);
    program.set(flash);
    const core = new Core(new Uint16Array(program.buffer), SRAM_BYTES);
    core.cycles = before.cycles;
    core.data.set(before.data.subarray(SRAM_START), SRAM_START);
    core.data[MCUSR] = cause;
    this.#core = core;

    for (const config of [timer0Config, timer1Config, timer2Config]) new AVRTimer(core, config);
    connectPort(core, portDConfig, 0, 8, board);
    connectPort(core, portBConfig, 8, 6, board);
    connectPort(core, portCConfig, 14, 6, board);
    new AVRWatchdog(core, watchdogConfig, new AVRClock(core, CLOCK_HZ));
    new AVREEPROM(core, board.eeprom);
    this.usart = new Usart(core, board);

    const adc = new AVRADC(core, adcConfig);
    const convert = adc.onADCRead;
    adc.onADCRead = (input) => {
      if (input.type === ADCMuxInputType.SingleEnded) {
        adc.channelValues[input.channel] = board.analog(input.channel, core.cycles / CYCLES_PER_MS);
      }
      convert(input);
    };
  }

  /** Clock cycles since power-on. */
  get cycles(): number {
    return this.#core.cycles;
  }

  get remains(): Remains {
    return this.#core;
  }

  /** Whether the watchdog has bitten, or `halt` was called. Such a chip runs no more. */
  get wantsReset(): boolean {
    return this.#core.resetWanted;
  }

  /** Ends this run after the instruction under way. */
  halt(): void {
    this.#core.resetWanted = true;
  }

  /** Runs until that many cycles since power-on, or until it wants a reset. */
  runUntil(end: number): void {
    const core = this.#core;
    while (core.cycles < end && !core.resetWanted) {
      avrInstruction(core);
      core.tick();
      // Execution runs on from the end of flash to its beginning; a ruined stack leads nowhere at all.
      if (!(core.pc <= LAST_WORD)) core.pc = 0;
    }
  }
}

function connectPort(
  core: CPU,
  config: typeof portBConfig,
  firstPin: number,
  pins: number,
  board: Board,
): void {
  const port = new AVRIOPort(core, config);
  let driven = 0;
  port.addListener((value) => {
    const outputs = core.data[config.DDR] ?? 0;
    const levels = value & outputs;
    for (let bit = 0; bit < pins; bit++) {
      const mask = 1 << bit;
      // Nothing is wired to the inputs, so a pull-up, if it is on, is all that moves them.
      if (!(outputs & mask)) port.setPin(bit, (value & mask) !== 0);
      if ((levels ^ driven) & mask) board.pin(firstPin + bit, (levels & mask) !== 0);
    }
    driven = levels;
  });
}
