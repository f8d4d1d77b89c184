import { HELLO_JITTER, MAX_HELLO_RESEND_MS, TEXT_LINE_MS } from '../../wire/limits.js';

/**
 * How long a rate is listened to, ms: a board that waits for a gateway says HELLO at least this often (PROTOCOL.md §9), and
 * may not be asked for it (§2.1).
 */
export const LISTEN_MS = MAX_HELLO_RESEND_MS * (1 + HELLO_JITTER) + 500;
/** After so much silence all that came has been told as packets or lines, or is neither, ms. */
const SETTLE_MS = TEXT_LINE_MS + 50;
/** Fewer bytes than this may be a glitch of the line when it was opened. */
const GLITCH_BYTES = 4;
/** More than this without a pause is noise, whatever may still come. Bytes. */
const ENDLESS_BYTES = 4096;
/** Text that shows a rate to be right: a garbled line of some length is not printable by chance. */
const CLEAN_CHARACTERS = 16;
const CLEAN_LINES = 3;
/** A rate that was right is given up when for so long, ms, there was nothing but noise, in so many bursts. */
const LOST_MS = 20_000;
const LOST_BURSTS = 3;

/**
 * Which of several rates a board speaks at: each is listened to until a valid packet, or clean text, shows that it is the
 * one. Noise shortens the wait. It owns no port and no timer: tell it what comes and call `tick` at `wakeAt`.
 */
export class RateSearch {
  readonly rates: readonly number[];
  #index = 0;
  #found = false;
  #listenUntil = 0;
  #lastByteAt = 0;
  /** Bytes that are, so far, in no packet and no clean line. */
  #unexplained = 0;
  /** Whether anything at all came since this rate is listened to: what is said at any rate is heard at any other, as noise. */
  #heard = false;
  #cleanCharacters = 0;
  #cleanLines = 0;
  #bursts = 0;
  #changes = 0;
  #goodAt = 0;

  constructor(rates: readonly number[]) {
    this.rates = rates;
  }

  /** Bits a second: the rate that the port is to run at. */
  get rate(): number {
    return this.rates[this.#index] as number;
  }

  /** Whether something was understood at this rate, and nothing speaks against it since. */
  get found(): boolean {
    return this.#found;
  }

  /** Bursts of noise since something was understood. */
  get noisy(): boolean {
    return this.#bursts > 0;
  }

  /** Whether every rate was listened to, and made no sense, since the port was opened or something was understood. */
  get exhausted(): boolean {
    return this.#changes >= this.rates.length || (this.rates.length === 1 && !this.#found);
  }

  /** The port was opened: what was right before is tried first. */
  start(now: number): void {
    this.#found = false;
    this.#changes = 0;
    this.#bursts = 0;
    this.#goodAt = now;
    this.#listen(now);
  }

  bytes(count: number, now: number): void {
    this.#heard = true;
    this.#unexplained += count;
    this.#lastByteAt = now;
  }

  packet(now: number): void {
    this.#good(now);
    this.#found = true;
  }

  line(line: string, now: number): void {
    if (line.includes('\uFFFD')) return;
    this.#unexplained = Math.max(0, this.#unexplained - Buffer.byteLength(line) - 2);
    this.#cleanLines++;
    this.#cleanCharacters += line.length;
    this.#listenUntil = Math.max(this.#listenUntil, now + LISTEN_MS);
    if (this.#cleanLines < CLEAN_LINES && this.#cleanCharacters < CLEAN_CHARACTERS) return;
    this.#good(now);
    this.#found = true;
  }

  /** When to call `tick`; undefined when nothing will change by itself. */
  wakeAt(): number | undefined {
    const settle = this.#unexplained > 0 ? this.#lastByteAt + SETTLE_MS : undefined;
    const listen = this.#found || this.rates.length === 1 ? undefined : this.#listenUntil;
    if (settle === undefined || listen === undefined) return settle ?? listen;
    return Math.min(settle, listen);
  }

  /** Judges what came. Returns whether the rate is another now. */
  tick(now: number): boolean {
    const settled = this.#unexplained > 0 && now >= this.#lastByteAt + SETTLE_MS;
    if (settled || this.#unexplained > ENDLESS_BYTES) {
      const noise = this.#unexplained >= GLITCH_BYTES;
      this.#unexplained = 0;
      if (noise) return this.#noise(now);
    }
    if (this.#found || now < this.#listenUntil) return false;
    if (this.#heard) return this.#next(now);
    // Nobody speaks: at another rate nobody would either.
    this.#listen(now);
    return false;
  }

  /** The port cannot run at this rate. Returns false when it was the only one. */
  skip(now: number): boolean {
    return this.#next(now);
  }

  #good(now: number): void {
    this.#unexplained = 0;
    this.#bursts = 0;
    this.#changes = 0;
    this.#goodAt = now;
  }

  #noise(now: number): boolean {
    this.#bursts++;
    this.#cleanLines = 0;
    this.#cleanCharacters = 0;
    if (this.#found && (this.#bursts < LOST_BURSTS || now - this.#goodAt < LOST_MS)) return false;
    this.#found = false;
    return this.#next(now);
  }

  #next(now: number): boolean {
    this.#changes++;
    this.#listen(now);
    if (this.rates.length === 1) return false;
    this.#index = (this.#index + 1) % this.rates.length;
    return true;
  }

  #listen(now: number): void {
    this.#listenUntil = now + LISTEN_MS;
    this.#heard = false;
    this.#unexplained = 0;
    this.#cleanLines = 0;
    this.#cleanCharacters = 0;
  }
}
