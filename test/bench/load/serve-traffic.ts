import { serve } from '../helper.js';
import type { Traffic } from './traffic.js';

/** Makes this process a load generator: `open` it, then let it work in rounds. */
export function serveTraffic(open: (argument: never) => Promise<Traffic>): void {
  let traffic: Traffic | undefined;
  serve({
    open: async (argument: never) => {
      traffic = await open(argument);
    },
    round: (ms: number) => traffic?.round(ms),
  });
}
