import { expect, it } from 'vitest';
import { TakenIds } from '../../../src/mqtt/session/taken-ids.js';
import { Random } from '../../support/random.js';

const SEED = 7;

it(`knows what was taken, and what counts on the connection, whatever happens (seed ${SEED})`, () => {
  const random = new Random(SEED);
  let ids = new TakenIds();
  const model = new Map<number, boolean>();
  for (let step = 0; step < 10_000; step++) {
    const id = 1 + (step % 2 ? random.below(40) : random.below(0xffff));
    const dice = random.below(1000);
    if (dice === 0) {
      ids.restart();
      for (const each of model.keys()) model.set(each, false);
    } else if (dice === 1) {
      const kept = [...ids];
      ids = new TakenIds();
      ids.restore(kept);
      for (const each of model.keys()) model.set(each, false);
    } else if (dice < 500) {
      ids.add(id);
      model.set(id, true);
    } else {
      expect(ids.release(id)).toBe(model.delete(id));
    }
    expect(ids.has(id)).toBe(model.has(id));
    if (step % 100 === 0) {
      expect([...ids]).toEqual([...model.keys()].sort((a, b) => a - b));
      expect(ids.counted).toBe([...model.values()].filter((counts) => counts).length);
    }
  }
});

it('takes all there are', () => {
  const ids = new TakenIds();
  for (let id = 1; id <= 0xffff; id++) ids.add(id);
  expect(ids.counted).toBe(0xffff);
  expect([...ids]).toHaveLength(0xffff);
  for (let id = 1; id <= 0xffff; id++) ids.release(id);
  expect([...ids]).toEqual([]);
});
