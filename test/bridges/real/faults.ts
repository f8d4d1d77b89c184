import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../support/random.js';

/** One way to break what runs, which mends it again before it resolves. */
export interface Fault {
  readonly name: string;
  run(): Promise<void>;
}

/** The longest that something is down, ms. */
const LONGEST_MS = 400;
/** About as long as a burst is on its way, ms. */
const BURST_MS = 60;

/** Waits for a while that nobody knows. */
export function aWhile(random: Random): Promise<void> {
  return sleep(random.next() * LONGEST_MS);
}

/** What is broken, and by what it is seen whether it works. */
export interface Load {
  /** Waits until messages get through. */
  flows(): Promise<void>;
  /** Sends much at once, so that whatever breaks then has much on its way. */
  burst(): void;
}

/** Breaks things `rounds` times under load, each of the faults in its turn, in an order that is drawn anew for each turn. */
export async function breakInTurn(
  faults: readonly Fault[],
  rounds: number,
  random: Random,
  load: Load,
): Promise<void> {
  let order: Fault[] = [];
  for (let round = 0; round < rounds; round++) {
    if (order.length === 0) order = shuffled(faults, random);
    const fault = order.pop() as Fault;
    await load.flows();
    load.burst();
    await sleep(random.next() * BURST_MS);
    try {
      await fault.run();
    } catch (error) {
      throw new Error(`round ${round}, ${fault.name}: ${(error as Error).message}`, { cause: error });
    }
  }
  await load.flows();
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const drawn = items.map((item) => ({ item, at: random.next() }));
  return drawn.sort((a, b) => a.at - b.at).map(({ item }) => item);
}
