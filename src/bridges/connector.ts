import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import { reasonOf } from '../errors.js';
import { ConnectionLog, STEADY_MS } from './connection-log.js';
import {
  type Upstream,
  type UpstreamConnection,
  UpstreamError,
  type UpstreamErrorCode,
  type UpstreamEvents,
} from './upstream.js';

const FIRST_PAUSE_MS = 500;
/** What only a person can mend is tried less often: servers count refused logins, and lock out. */
const LONGEST_PAUSE_MS: Readonly<Record<UpstreamErrorCode, number>> = {
  unreachable: 30_000,
  taken_over: 60_000,
  login_refused: 60_000,
  certificate: 60_000,
  unsuitable: 60_000,
};
export interface ConnectorContext {
  /** Of the bridge, for the log. */
  readonly name: string;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 to 1, for the jitter. */
  readonly random: () => number;
}

/** What the connector tells, besides what its connections do. */
export interface ConnectorEvents extends Omit<UpstreamEvents, 'lost'> {
  up(connection: UpstreamConnection): void;
  /** There is none any more, or the first attempt failed. `cutOff`: see `UpstreamEvents.lost`. */
  down(problem: UpstreamError, cutOff: boolean): void;
  /** There is still none, now for another reason: once an attempt at most, which are further and further apart. */
  problemChanged(): void;
}

/** Keeps one connection upstream: opens it again, after growing pauses, whenever it is lost. Logs each change once. */
export class Connector {
  readonly #context: ConnectorContext;
  readonly #events: ConnectorEvents;
  readonly #abort = new AbortController();
  #connection: UpstreamConnection | undefined;
  #problem: UpstreamError | undefined;
  readonly #log: ConnectionLog;
  /** Until the next attempt, ms: a short one after a connection that has stood for long, or has carried something. */
  #pause = FIRST_PAUSE_MS;
  /** Another client took a connection that had not stood for long: it will again, though each carries something. */
  #contested = false;
  #upSince = 0;
  #connects = 0;
  #cancel: Cancel | undefined;

  constructor(context: ConnectorContext, events: ConnectorEvents) {
    this.#context = context;
    this.#events = events;
    this.#log = new ConnectionLog(context.name, context.logger, context.clock);
  }

  /** Undefined while there is none. */
  get connection(): UpstreamConnection | undefined {
    return this.#connection;
  }

  /** Why there is none; undefined while there is, and before the first attempt has failed. */
  get problem(): UpstreamError | undefined {
    return this.#problem;
  }

  /** How often it was connected again. */
  get reconnects(): number {
    return Math.max(0, this.#connects - 1);
  }

  start(): void {
    void this.#connect();
  }

  /** Closes the connection, and opens no other. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#cancel?.();
    this.#log.stop();
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }

  async #connect(): Promise<void> {
    const { upstream, clock } = this.#context;
    const { signal } = this.#abort;
    let problem: UpstreamError | undefined;
    try {
      // It may be lost again before it is known here that it stands.
      const lost = (error: UpstreamError, cutOff: boolean) => {
        problem = error;
        if (this.#connection !== undefined) this.#lost(error, cutOff);
      };
      const connection = await upstream.connect({ ...this.#events, ...this.#proofs(), lost }, signal);
      if (signal.aborted) return await connection.close();
      if (problem !== undefined) throw problem;
      this.#connection = connection;
      this.#problem = undefined;
      this.#connects += 1;
      this.#upSince = clock.now();
      this.#log.connected(connection.server);
      this.#events.up(connection);
    } catch (error) {
      if (!signal.aborted) this.#failed(asProblem(error), false);
    }
  }

  /** What shows that a connection is a good one. */
  #proofs(): Pick<ConnectorEvents, 'settled' | 'incoming'> {
    return {
      settled: (record) => {
        this.#carried();
        this.#events.settled(record);
      },
      incoming: (message, next) => {
        this.#carried();
        this.#events.incoming(message, next);
      },
    };
  }

  #carried(): void {
    if (!this.#contested) this.#pause = FIRST_PAUSE_MS;
  }

  #lost(error: UpstreamError, cutOff: boolean): void {
    if (this.#context.clock.now() - this.#upSince >= STEADY_MS) {
      this.#pause = FIRST_PAUSE_MS;
      this.#contested = false;
    }
    if (error.code === 'taken_over') this.#contested = true;
    this.#connection = undefined;
    this.#failed(error, cutOff);
  }

  #failed(problem: UpstreamError, cutOff: boolean): void {
    const { clock, random } = this.#context;
    const first = this.#problem === undefined;
    const changed = this.#problem?.message !== problem.message;
    this.#problem = problem;
    this.#log.failed(problem);
    if (first) this.#events.down(problem, cutOff);
    else if (changed) this.#events.problemChanged();
    const pause = this.#pause * (0.5 + random() / 2);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS[problem.code]);
    this.#cancel = clock.schedule(pause, () => void this.#connect());
  }
}

function asProblem(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  return new UpstreamError('unreachable', reasonOf(error), { cause: error });
}
