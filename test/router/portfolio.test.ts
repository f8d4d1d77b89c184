import { expect, it } from 'vitest';
import { Portfolio } from '../../src/router/portfolio.js';
import type { Subscriber } from '../../src/router/subscriber.js';
import { Subscription } from '../../src/router/subscription.js';
import { Random } from '../support/random.js';

const SEED = 3;
const WHO: Subscriber = { hasRoom: () => true, deliver: () => undefined };
const OPTIONS = { qos: 0, noLocal: false, noLastValue: false } as const;

it(`finds what was added and not removed, few or many (seed ${SEED})`, () => {
  const random = new Random(SEED);
  const portfolio = new Portfolio();
  const model = new Map<string, Subscription>();
  for (let step = 0; step < 20_000; step++) {
    // More come than go in the one half, more go than come in the other.
    const adds = random.below(3) < (step % 1000 < 500 ? 2 : 1);
    const pattern = `a/${random.below(100)}`;
    const known = model.get(pattern);
    expect(portfolio.find(pattern)).toBe(known);
    if (adds && !known) {
      const subscription = new Subscription(WHO, pattern, OPTIONS);
      portfolio.add(subscription);
      model.set(pattern, subscription);
    } else if (!adds && known) {
      portfolio.remove(known);
      model.delete(pattern);
    }
    expect(portfolio.size).toBe(model.size);
  }
  expect([...portfolio].reverse()).toEqual([...model.values()]);
});
