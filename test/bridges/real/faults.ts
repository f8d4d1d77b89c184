import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../support/random.js';

/** One way to break what runs, which mends it again before it resolves. */
export interface Fault {
  readonly name: string;
  run(): Promise<void>;
}

/** The longest that load flows, or something is down, before the next thing happens, ms. */
const LONGEST_MS = 400;

/** Waits for a while that nobody knows. */
export function aWhile(random: Random): Promise<void> {
  return sleep(random.next() * LONGEST_MS);
}

/** Breaks things `rounds` times, each of the faults in its turn, in an order that is drawn anew for each turn. `flows` waits until load gets through. */
export async function breakInTurn(
  faults: readonly Fault[],
  rounds: number,
  random: Random,
  flows: () => Promise<void>,
): Promise<void> {
  let order: Fault[] = [];
  for (let round = 0; round < rounds; round++) {
    if (order.length === 0) order = shuffled(faults, random);
    const fault = order.pop() as Fault;
    await flows();
    await aWhile(random);
    try {
      await fault.run();
    } catch (error) {
      throw new Error(`round ${round}, ${fault.name}: ${(error as Error).message}`, { cause: error });
    }
  }
  await flows();
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const drawn = items.map((item) => ({ item, at: random.next() }));
  return drawn.sort((a, b) => a.at - b.at).map(({ item }) => item);
}
