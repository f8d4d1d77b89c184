import type { Cancel, Clock } from '../../clock.js';
import type { LinkEvents } from '../link.js';
import { isBootloaderAnswer, isDownloadMode } from './bootloader.js';
import type { RateSearch } from './rate-search.js';

/** How long a board may keep a gateway waiting for a first word, ms: three times the longest pause between HELLOs. */
const PATIENCE_MS = 30_000;
/** How long a board may be in its bootloader, ms: one that starts a sketch after it is there for a second or two. */
const BOOTLOADER_MS = 10_000;

/** What is wrong with a line that is open. */
export type LineFault = 'silent' | 'noise' | 'bootloader';

export interface LineMonitorOptions {
  readonly search: RateSearch;
  readonly clock: Clock;
  /** Whether a board that says nothing is as it should be. */
  readonly mayBeSilent: boolean;
  /** The port is to run at the search's rate. */
  readonly rateChanged: () => void;
  /** The board is understood. Told each time. */
  readonly understood: () => void;
  /** Told each time that it is found so. */
  readonly fault: (fault: LineFault) => void;
  /** A line of text that the search for a rate made no sense of, and that nobody is told. */
  readonly garbled: (line: string) => void;
}

/** Listens along on an open serial line: at which rate is the board understood, and is there anything to understand? */
export class LineMonitor {
  readonly #options: LineMonitorOptions;
  readonly #search: RateSearch;
  /** When the line was opened, or the board understood last. */
  #goodAt: number;
  #heardAnything = false;
  #inBootloaderSince: number | undefined;
  #cancel: Cancel = () => {};
  #armedFor = Number.POSITIVE_INFINITY;
  #stopped = false;

  /** The line was just opened. */
  constructor(options: LineMonitorOptions) {
    this.#options = options;
    this.#search = options.search;
    this.#goodAt = options.clock.now();
    this.#search.start(this.#goodAt);
    this.#arm();
  }

  /** The events of the line, on their way to `events`. */
  between(events: LinkEvents): LinkEvents {
    return {
      ...events,
      packet: (packet) => {
        this.#packet();
        events.packet(packet);
      },
      text: (line) => {
        if (this.#line(line)) events.text?.(line);
        else this.#options.garbled(line);
      },
    };
  }

  /** Bytes came in, which may or may not become packets or lines. */
  bytes(chunk: Uint8Array): void {
    const now = this.#options.clock.now();
    this.#search.bytes(chunk.length, now);
    if (isBootloaderAnswer(chunk)) this.#inBootloaderSince ??= now;
    // Judged later: the link has yet to tell what is in them.
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #packet(): void {
    this.#search.packet(this.#options.clock.now());
    this.#good();
  }

  /** Returns whether the line makes sense. */
  #line(line: string): boolean {
    const now = this.#options.clock.now();
    this.#search.line(line, now);
    const garbled = line.includes('\uFFFD');
    if (isDownloadMode(line)) this.#inBootloaderSince ??= now;
    // With one rate there is nothing to be sure of first.
    else if (!garbled && (this.#search.found || this.#search.rates.length === 1)) this.#good();
    return !garbled || this.#search.found || this.#search.rates.length === 1;
  }

  #good(): void {
    this.#goodAt = this.#options.clock.now();
    this.#heardAnything = true;
    this.#inBootloaderSince = undefined;
    this.#options.understood();
  }

  #tick(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    if (this.#stopped) return;
    const now = this.#options.clock.now();
    if (this.#search.tick(now)) this.#options.rateChanged();
    const fault = this.#faultAt(now);
    if (fault) this.#options.fault(fault);
    this.#arm();
  }

  #faultAt(now: number): LineFault | undefined {
    if (this.#inBootloaderSince !== undefined) {
      return now - this.#inBootloaderSince >= BOOTLOADER_MS ? 'bootloader' : undefined;
    }
    if (this.#search.found || now - this.#goodAt < PATIENCE_MS) return undefined;
    if (this.#search.noisy) return this.#search.exhausted ? 'noise' : undefined;
    return this.#heardAnything || this.#options.mayBeSilent ? undefined : 'silent';
  }

  /** A timer that is due earlier than needed is left alone: it finds nothing and is set again. */
  #arm(): void {
    const { clock } = this.#options;
    const now = clock.now();
    const deadlines = [this.#search.wakeAt(), this.#goodAt + PATIENCE_MS];
    if (this.#inBootloaderSince !== undefined) deadlines.push(this.#inBootloaderSince + BOOTLOADER_MS);
    const ahead = deadlines.filter((at) => at !== undefined && at > now) as number[];
    const next = Math.min(...ahead);
    if (next >= this.#armedFor) return;
    this.#cancel();
    this.#armedFor = next;
    this.#cancel = clock.schedule(Math.ceil(next - now), () => this.#tick());
  }
}
