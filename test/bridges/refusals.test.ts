import { pino } from 'pino';
import { expect, test } from 'vitest';
import { BridgeCounts } from '../../src/bridges/counts.js';
import { Refusals } from '../../src/bridges/refusals.js';
import { Counters } from '../../src/counters.js';
import { VirtualClock } from '../support/virtual-clock.js';

test('a thousand patterns that upstream refuses in each connection are counted, and ten are named each minute', () => {
  const clock = new VirtualClock();
  const counters = new Counters();
  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const counts = new BridgeCounts(counters, 'plant');
  const refusals = new Refusals({ bridge: 'plant', clock, counts, logger });
  for (let connection = 0; connection < 6; connection++) {
    for (let n = 0; n < 1000; n++) refusals.interest(`a/${n}`, 'it may not');
    clock.advance(10_000);
  }
  expect(counters.get('bridges.plant.interest_refused')).toBe(6000);
  expect(lines).toHaveLength(11);
  expect(lines[0]).toBe('bridge plant: nothing comes in of "a/0": it may not');
  expect(lines[10]).toContain('further patterns');
  refusals.interest('a/0', 'it may not');
  expect(lines).toHaveLength(12);
});
