import type { Cancel, Clock } from '../clock.js';
import type { BridgeQueue } from './queue.js';
import type { Suspicion } from './suspicion.js';
import type { UpstreamConnection } from './upstream.js';

/** For so long at most messages are sent one after the other, ms: then others have their turn. */
const TURN_MS = 2;

export interface PumpContext {
  readonly queue: Pick<BridgeQueue, 'inFlight'>;
  /** Which of the queue's messages are sent now. */
  readonly suspicion: Pick<Suspicion, 'next' | 'window' | 'overtakes'>;
  readonly clock: Clock;
  readonly connection: () => UpstreamConnection | undefined;
}

/** Sends what waits in the queue, as much as upstream takes; but never so much at once that local traffic would have to wait for it. */
export class Pump {
  readonly #context: PumpContext;
  #running = false;
  #next: Cancel | undefined;

  constructor(context: PumpContext) {
    this.#context = context;
  }

  /** Something may wait for which upstream has room. */
  run(): void {
    const { queue, suspicion, clock, connection } = this.#context;
    const upstream = connection();
    if (upstream === undefined || this.#running || this.#next !== undefined) return;
    this.#running = true;
    const end = clock.now() + TURN_MS;
    while (queue.inFlight < suspicion.window && connection() === upstream) {
      const message = suspicion.next();
      if (message === undefined) break;
      upstream.publish(message, suspicion.overtakes);
      if (clock.now() < end) continue;
      this.runSoon();
      break;
    }
    this.#running = false;
  }

  /** The same when what is ready now has had its turn: acknowledgements come by the hundred. */
  runSoon(): void {
    this.#next ??= this.#context.clock.yield(() => {
      this.#next = undefined;
      this.run();
    });
  }

  stop(): void {
    this.#next?.();
    this.#next = undefined;
  }
}
