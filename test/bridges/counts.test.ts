import { expect, it } from 'vitest';
import { BridgeCounts } from '../../src/bridges/counts.js';
import { Counters } from '../../src/counters.js';

it('what a bridge dropped is what it counted, and its upstream, and no other bridge', () => {
  const counters = new Counters();
  const counts = new BridgeCounts(counters, 'plant');
  expect(counts.drops).toEqual({});
  counts.drop('offline', 2);
  counts.drop('too_old');
  counters.add('bridges.plant.drop.bad_name');
  counters.add('bridges.plant2.drop.bad_name');
  counts.add('loop');
  expect(counts.drops).toEqual({ offline: 2, too_old: 1, bad_name: 1 });
});
