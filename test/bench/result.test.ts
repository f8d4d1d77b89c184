import { describe, expect, test } from 'vitest';
import { drawChart } from './chart.js';
import { putIntoPage } from './pages.js';
import { type Measured, type RowResult, summarize } from './result.js';
import type { Contender, Row } from './row.js';
import { printResult } from './table.js';

const contender = (name: string, role: Contender['role']): Contender => ({
  name,
  role,
  start: () => Promise.reject(new Error('nobody starts it here')),
});
const OURS = contender('slipway', 'ours');
const BARE = contender('bare', 'ceiling');

const ROW: Row = {
  name: 'row',
  unit: 'ms',
  work: 'a & b',
  contenders: [OURS, BARE],
  targets: [
    { against: 'bare', ratio: { atMost: 1.5 } },
    { against: 'bare', difference: { atMost: 1 } },
    { figure: 'p99', against: 'bare', ratio: { atLeast: 2 } },
    { value: { atMost: 4 } },
  ],
};

function measured(of: Contender, values: readonly number[], p99: number): Measured {
  return { contender: of, outcomes: values.map((value) => ({ value, also: { p99 } })) };
}

function resultOf(others: readonly Measured[]): RowResult {
  return summarize(ROW, [measured(OURS, [3, 9, 4, 5, 1], 20), ...others], { nats: 'apt-get' }, 'a machine');
}

describe('a row', () => {
  const result = resultOf([measured(BARE, [2], 10)]);

  test('is judged by the medians', () => {
    expect(result).toMatchObject({ ours: 4, peers: { bare: 2 }, ratios: { bare: 2 }, met: false });
    expect(result.spread).toEqual({ slipway: [1, 9], bare: [2, 2] });
    expect(result.verdicts).toEqual({
      '≤ 1.5 × bare': false,
      '≤ 1 ms over bare': false,
      'p99 ≥ 2 × bare': true,
      '≤ 4 ms': true,
    });
  });

  test('is not judged by who was not there', () => {
    const alone = resultOf([]);
    expect(alone.met).toBe(null);
    expect(alone.verdicts).toMatchObject({ '≤ 1.5 × bare': null, '≤ 4 ms': true });
  });

  test('is told with all of that', () => {
    const told = printResult(result);
    for (const part of [
      '4 ms',
      '1 to 9',
      'ours is 2 ×',
      '≤ 4 ms: met',
      'NOT MET',
      'nats is not here: apt-get',
    ])
      expect(told).toContain(part);
  });

  test('is drawn to scale', () => {
    const widths = [...drawChart([result]).matchAll(/ width="([\d.]+)" height="15"/g)].map(([, width]) =>
      Number(width),
    );
    expect(widths).toHaveLength(2);
    expect((widths[0] as number) / (widths[1] as number)).toBeCloseTo(2, 2);
    expect(drawChart([result])).toContain('a &amp; b');
  });

  test('stands in a page between the marks', () => {
    const marks = ['<!-- generated:bench -->', '<!-- /generated -->'];
    const once = putIntoPage(`before\n${marks.join('\n')}\nafter`, [result]);
    expect(once).toMatch(
      /^before\n<!-- generated:bench -->\n.*`row`.*bare 2 \(2 ×\).*<!-- \/generated -->\nafter$/s,
    );
    expect(putIntoPage(once, [result])).toBe(once);
    expect(() => putIntoPage('no marks', [result])).toThrow('no place');
    expect(once).not.toContain('B a client');
    const reported = { ...result, verdicts: {}, also: { slipway: { 'B a client': 17_000 } } };
    expect(putIntoPage(once, [reported])).toContain('bare 2 (2 ×), B a client: 17.0 k |');
  });
});
