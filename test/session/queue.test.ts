import { expect, test } from 'vitest';
import { Queue } from '../../src/session/queue.js';
import { Random } from '../support/random.js';

test('is first in, first out, whatever the mix of pushes and shifts', () => {
  const seed = 7;
  const random = new Random(seed);
  const queue = new Queue<number>();
  const model: number[] = [];
  for (let i = 0; i < 5000; i++) {
    // Long phases of growing and of draining, so that the spent part is given back on the way.
    if (random.chance(i % 1000 < 500 ? 0.8 : 0.2)) {
      queue.push(i);
      model.push(i);
    } else expect(queue.shift(), `seed ${seed}, step ${i}`).toBe(model.shift());
    expect(queue.length).toBe(model.length);
    expect(queue.at(0)).toBe(model[0]);
    expect(queue.at(3)).toBe(model[3]);
  }
  expect([...queue]).toEqual(model);
});

test('gives everything back at once when drained', () => {
  const queue = new Queue<string>();
  for (const item of ['a', 'b', 'c']) queue.push(item);
  queue.shift();
  expect(queue.drain()).toEqual(['b', 'c']);
  expect(queue.length).toBe(0);
  expect(queue.shift()).toBeUndefined();
  queue.push('d');
  expect([...queue]).toEqual(['d']);
});
