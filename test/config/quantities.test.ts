import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { count, duration, size } from '../../src/config/quantities.js';

const messagesOf = (schema: ReturnType<typeof count>, value: unknown) =>
  schema.safeParse(value).error?.issues.map(({ message }) => message);

describe('durations', () => {
  const any = duration(0, Number.MAX_SAFE_INTEGER);

  it.each([
    ['250ms', 250],
    ['10s', 10_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['1_000 ms', 1000],
    ['0s', 0],
    [0, 0],
    ['0', 0],
  ])('%j is %i ms', (written, ms) => {
    expect(any.parse(written)).toBe(ms);
  });

  it.each([10, '10', '1.5s', '-1s', '10 sec', '10S', '1h30m', 's', '', ' 1s', '1__0s', '_1s', '1toString'])(
    '%j is refused, with the mend',
    (written) => {
      expect(messagesOf(any, written)).toEqual([
        `must be a duration with its unit, like 250ms, 10s, 5m, 1h or 7d; not ${JSON.stringify(written)}`,
      ]);
    },
  );

  it('have bounds, which 0 may pass', () => {
    const bounded = duration(1000, 86_400_000);
    expect(bounded.parse(0)).toBe(0);
    expect(bounded.parse('1d')).toBe(86_400_000);
    expect(messagesOf(bounded, '999ms')).toEqual(['must be 1s to 1d, or 0; not "999ms"']);
    expect(messagesOf(bounded, '25h')).toEqual(['must be 1s to 1d, or 0; not "25h"']);
  });
});

describe('sizes', () => {
  const any = size(0, Number.MAX_SAFE_INTEGER);

  it.each([
    [512, 512],
    ['512', 512],
    ['512 B', 512],
    ['64 KiB', 65_536],
    ['64KiB', 65_536],
    ['16 MiB', 16_777_216],
    ['1 GiB', 1_073_741_824],
    ['1 KB', 1000],
    ['2 MB', 2_000_000],
    ['3 GB', 3_000_000_000],
    ['1_000 KB', 1_000_000],
  ])('%j is %i bytes', (written, bytes) => {
    expect(any.parse(written)).toBe(bytes);
  });

  it.each([1.5, '1.5 MiB', '1 kb', '1 Kb', '1  MiB', 'MiB', '-1', '1 TiB'])('%j is refused', (written) => {
    expect(messagesOf(any, written)).toEqual([expect.stringMatching(/^must be a size, like 512, 64 KiB/)]);
  });

  it('have bounds', () => {
    expect(messagesOf(size(128, 65_536), '64 MiB')).toEqual(['must be 128 B to 64 KiB; not "64 MiB"']);
    expect(messagesOf(size(128, 65_536), 127)).toEqual(['must be 128 B to 64 KiB; not 127']);
  });
});

describe('counts', () => {
  it('are whole numbers in their bounds, also with underscores', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 2 ** 40 }), (value) => {
        const grouped = String(value).replaceAll(/(?<=\d)(?=(?:\d{3})+$)/g, '_');
        const schema = count(5, 2 ** 40);
        expect(schema.parse(value)).toBe(value);
        expect(schema.parse(grouped)).toBe(value);
      }),
    );
  });

  it.each([4, 1001, '1_001'])('beyond the bounds are refused: %j', (value) => {
    expect(messagesOf(count(5, 1000), value)).toEqual([`must be 5 to 1000; not ${JSON.stringify(value)}`]);
  });

  it.each([1.5, '1_', '1 000', 'many', '1e3', 2 ** 53])('%j is no count', (value) => {
    expect(messagesOf(count(0, 1000), value)).toEqual([
      `must be a whole number, like 1000 or 1_000; not ${JSON.stringify(value)}`,
    ]);
  });

  it.each([true, {}, [], Number.NaN, Number.POSITIVE_INFINITY])('%j is no count either', (value) => {
    expect(messagesOf(count(0, 1000), value)).toEqual(['must be a whole number, like 1000 or 1_000']);
  });
});
