import { z } from 'zod';

/** Milliseconds in each unit of a duration. */
const DURATION_UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
/** Bytes in each unit of a size; `KB` is 1000, `KiB` 1024. */
const SIZE_UNITS = {
  GiB: 2 ** 30,
  GB: 1e9,
  MiB: 2 ** 20,
  MB: 1e6,
  KiB: 2 ** 10,
  KB: 1000,
  B: 1,
} as const;

/** What is said of a key that has no value. */
export const EMPTY = 'is empty: give it a value, or delete the line';

interface Kind {
  /** How such a value is written, for messages. */
  readonly form: string;
  /** The strings that are taken, as an editor checks them. */
  readonly pattern: string;
  /** The bare numbers that are taken, in terms of JSON Schema. */
  numbers(min: number, max: number): Record<string, unknown>;
  /** The value, or undefined when it is not written so. */
  read(value: number | string): number | undefined;
  show(value: number): string;
}

const COUNT: Kind = {
  form: 'a whole number, like 1000 or 1_000',
  pattern: '^\\d+(_\\d+)*$',
  numbers: (minimum, maximum) => ({ type: 'integer', minimum, maximum }),
  read(value) {
    if (typeof value === 'string') return /^\d+(_\d+)*$/.test(value) ? digits(value) : undefined;
    return Number.isSafeInteger(value) ? value : undefined;
  },
  show: String,
};

const DURATION: Kind = {
  form: 'a duration with its unit, like 250ms, 10s, 5m, 1h or 7d',
  pattern: '^(0|\\d+(_\\d+)* ?(ms|s|m|h|d))$',
  numbers: () => ({ const: 0 }),
  read: (value) => (String(value) === '0' ? 0 : withUnit(value, DURATION_UNITS)),
  show: (value) => inLargestUnit(value, DURATION_UNITS, ''),
};

const SIZE: Kind = {
  form: 'a size, like 512, 64 KiB, 16 MiB or 1 GiB (KB, MB and GB are powers of 1000)',
  pattern: '^\\d+(_\\d+)*( ?(B|KB|MB|GB|KiB|MiB|GiB))?$',
  numbers: (minimum, maximum) => ({ type: 'integer', minimum, maximum }),
  read: (value) => COUNT.read(value) ?? withUnit(value, SIZE_UNITS),
  show: (value) => inLargestUnit(value, SIZE_UNITS, ' '),
};

/** A whole number from `min` to `max`; also written `1_000`. `form` says in messages what to write. */
export function count(min: number, max: number, form = COUNT.form) {
  return quantity({ ...COUNT, form }, min, max);
}

/** A duration from `min` to `max`, all in ms; 0 is taken as well. Bare numbers other than 0 are refused. */
export function duration(min: number, max: number) {
  return quantity(DURATION, min, max, 0);
}

/** A size from `min` to `max`, all in bytes. */
export function size(min: number, max: number) {
  return quantity(SIZE, min, max);
}

function quantity(kind: Kind, min: number, max: number, besides?: number) {
  const range = `${kind.show(min)} to ${kind.show(max)}${besides === undefined ? '' : `, or ${kind.show(besides)}`}`;
  const numbers = z.number().meta(kind.numbers(min, max));
  // An editor sees the file before variables of the environment are put in.
  const strings = z.string().meta({ pattern: `${kind.pattern}|\\$\\{` });
  return z
    .union([numbers, strings], { error: ({ input }) => (input === null ? EMPTY : `must be ${kind.form}`) })
    .transform((written, context) => {
      const value = kind.read(written);
      if (value !== undefined && (value === besides || (value >= min && value <= max))) return value;
      const said = JSON.stringify(written);
      const message =
        value === undefined ? `must be ${kind.form}; not ${said}` : `must be ${range}; not ${said}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    });
}

function withUnit(value: number | string, units: Readonly<Record<string, number>>): number | undefined {
  const [, number, unit] = /^(\d+(?:_\d+)*) ?([A-Za-z]+)$/.exec(String(value)) ?? [];
  const factor = unit !== undefined && Object.hasOwn(units, unit) ? units[unit] : undefined;
  return number === undefined || factor === undefined ? undefined : digits(number) * factor;
}

function digits(text: string): number {
  return Number(text.replaceAll('_', ''));
}

/** The value in the largest unit of which it is a whole multiple. */
function inLargestUnit(value: number, units: Readonly<Record<string, number>>, space: string): string {
  for (const [unit, factor] of Object.entries(units)) {
    if (value >= factor && value % factor === 0) return `${value / factor}${space}${unit}`;
  }
  return String(value);
}
