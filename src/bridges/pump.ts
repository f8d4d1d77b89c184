import type { Cancel, Clock } from '../clock.js';
import type { BridgeQueue } from './queue.js';
import type { UpstreamConnection } from './upstream.js';

/** For so long at most messages are sent one after the other, ms: then others have their turn. */
const TURN_MS = 2;

export interface PumpContext {
  readonly queue: Pick<BridgeQueue, 'next' | 'inFlight'>;
  /** How many may be on their way. */
  readonly window: number;
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
    const { queue, window, clock, connection } = this.#context;
    const upstream = connection();
    if (upstream === undefined || this.#running || this.#next !== undefined) return;
    this.#running = true;
    const most = Math.min(window, upstream.window);
    const end = clock.now() + TURN_MS;
    while (queue.inFlight < most && connection() === upstream) {
      const message = queue.next();
      if (message === undefined) break;
      upstream.publish(message);
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
