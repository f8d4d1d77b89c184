import type { Cancel, Clock } from '../clock.js';
import { SlipwayError } from '../errors.js';

/** The gateway's time of day. */
export interface TimeOfDay {
  /** Milliseconds since 1970-01-01 UTC, when this was handed over. */
  readonly time: number;
  /** How far off it may be at most, either way, ms. */
  readonly uncertainty: number;
}

/** Questions a measurement; the one that was answered fastest counts. */
const PROBES = 5;
/** The gateway tells whole milliseconds, rounded down. */
const STAMP_MS = 1;

interface Probe {
  readonly token: number;
  readonly sentAt: number;
  readonly cancel: Cancel;
  readonly resolve: (sample: Sample) => void;
  readonly reject: (error: SlipwayError) => void;
}

interface Sample {
  readonly roundTrip: number;
  /** What the gateway's time of day is ahead of this side's clock. */
  readonly offset: number;
}

/** Asks the gateway what time it is (PROTOCOL.md §3.2, TIME), and allows for half the round trip. */
export class GatewayTime {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #ask: (token: number) => void;
  #token = 0;
  #probe: Probe | undefined;
  #measuring: Promise<Sample> | undefined;

  /** `ask` sends TIME; what is answered goes to `answered`. A question may take `timeoutMs`. */
  constructor(clock: Clock, timeoutMs: number, ask: (token: number) => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#ask = ask;
  }

  /** @throws SlipwayError `timeout`; what `lost` is given */
  async now(): Promise<TimeOfDay> {
    this.#measuring ??= this.#measure().finally(() => {
      this.#measuring = undefined;
    });
    const { offset, roundTrip } = await this.#measuring;
    return { time: this.#clock.now() + offset, uncertainty: (roundTrip + STAMP_MS) / 2 };
  }

  answered(token: number, time: number): void {
    const probe = this.#probe;
    if (probe?.token !== token) return;
    const now = this.#clock.now();
    const roundTrip = now - probe.sentAt;
    this.#end(probe);
    probe.resolve({ roundTrip, offset: time + (roundTrip + STAMP_MS) / 2 - now });
  }

  /** Nothing that was asked will be answered: `error` says why. */
  lost(error: SlipwayError): void {
    const probe = this.#probe;
    if (!probe) return;
    this.#end(probe);
    probe.reject(error);
  }

  async #measure(): Promise<Sample> {
    let best = await this.#once();
    for (let n = 1; n < PROBES; n++) {
      const sample = await this.#once();
      if (sample.roundTrip < best.roundTrip) best = sample;
    }
    return best;
  }

  #once(): Promise<Sample> {
    return new Promise((resolve, reject) => {
      const token = (this.#token + 1) & 0xff;
      this.#token = token;
      const giveUp = () => {
        this.#probe = undefined;
        const text = `the gateway did not tell its time within ${this.#timeoutMs} ms`;
        reject(new SlipwayError('timeout', text));
      };
      const cancel = this.#clock.schedule(this.#timeoutMs, giveUp);
      this.#probe = { token, sentAt: this.#clock.now(), cancel, resolve, reject };
      this.#ask(token);
    });
  }

  #end(probe: Probe): void {
    probe.cancel();
    this.#probe = undefined;
  }
}
