import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import type { UpstreamError } from './upstream.js';

/** A connection that has stood for so long, ms, was a good one. */
export const STEADY_MS = 10_000;
/** So many different problems are logged until there is a connection again. */
const MAX_SAID = 10;
/** Of so many connections in a row that were lost before that each is logged: who is cut off twice a second fills no disk. */
const MAX_SHORT = 5;

/** What the log says of a bridge's connection: a line a change, unless it changes all the time. */
export class ConnectionLog {
  readonly #bridge: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** What was logged since there is no connection. */
  readonly #said = new Set<string>();
  /** Connections in a row that were lost soon. */
  #short = 0;
  #since: number | undefined;
  #standing: Cancel | undefined;

  constructor(bridge: string, logger: Logger, clock: Clock) {
    this.#bridge = bridge;
    this.#logger = logger;
    this.#clock = clock;
  }

  connected(server: string): void {
    this.#since = this.#clock.now();
    const say = () =>
      this.#logger.info({ bridge: this.#bridge }, `bridge ${this.#bridge}: connected to ${server}`);
    if (this.#short < MAX_SHORT) return say();
    this.#standing = this.#clock.schedule(STEADY_MS, say);
  }

  /** There is no connection, or none any more. */
  failed(problem: UpstreamError): void {
    if (this.#since !== undefined) {
      const isShort = this.#clock.now() - this.#since < STEADY_MS;
      this.#short = isShort ? this.#short + 1 : 0;
      this.#since = undefined;
      // Of several servers that are tried in turn each may have its own problem.
      this.#said.clear();
    }
    this.#standing?.();
    if (this.#short > MAX_SHORT || this.#said.size >= MAX_SAID || this.#said.has(problem.message)) return;
    this.#said.add(problem.message);
    const more =
      this.#short === MAX_SHORT
        ? `this is said no more until a connection has stood for ${STEADY_MS / 1000} s, for it happens again and again`
        : 'it is tried again, meanwhile everything here goes on';
    this.#logger.warn(
      { bridge: this.#bridge, code: problem.code },
      `bridge ${this.#bridge}: ${problem.message}; ${more}`,
    );
  }

  stop(): void {
    this.#standing?.();
  }
}
