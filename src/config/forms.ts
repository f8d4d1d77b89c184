import { z } from 'zod';

/**
 * Ways of writing a setting that its schema does not show, because they are made plain before it is checked.
 * `json-schema.ts` tells editors of them.
 */
export const forms = z.registry<{
  form: 'may_be_empty' | 'one_or_many' | 'one_many_or_off' | 'one_or_off';
}>();

/** A mapping of settings. Written with nothing in it (all its lines commented out), it holds the defaults. */
export function section<Shape extends z.core.$ZodLooseShape>(description: string, shape: Shape) {
  return z
    .preprocess((written) => written ?? {}, z.strictObject(shape))
    .prefault({})
    .describe(description)
    .register(forms, { form: 'may_be_empty' });
}

/** A list; written with nothing in it, it is the empty one. */
export function list<Entry extends z.ZodType>(
  description: string,
  entry: Entry,
  ...checks: z.core.$ZodCheck<z.output<Entry>[]>[]
) {
  return z
    .preprocess((written) => written ?? [], z.array(entry).check(...checks))
    .prefault([])
    .describe(description)
    .register(forms, { form: 'may_be_empty' });
}

/** One value or a list of up to `max` different ones, always a list once read. */
export function oneOrMany<Value extends z.ZodType>(description: string, value: Value, max: number) {
  const values = z
    .array(value)
    .min(1, { error: 'cannot be empty: write at least one value, or delete the line for the default' })
    .max(max, { error: `can have ${max} at most` })
    .superRefine((read, context) => {
      const twice = read.find((value, index) => read.indexOf(value) < index);
      if (twice !== undefined)
        context.addIssue({ code: 'custom', message: `has ${String(twice)} twice: write it once` });
    });
  return z
    .preprocess((written) => (Array.isArray(written) || written === undefined ? written : [written]), values)
    .describe(description)
    .register(forms, { form: 'one_or_many' });
}

/**
 * One entry or a list of them, always a list once read; null or false are the empty one. Absent, it is one entry of defaults, or
 * off, as `absent` says.
 */
export function oneManyOrOff<Entry extends z.ZodType>(
  description: string,
  entry: Entry,
  absent: 'defaults' | 'off',
  ...checks: z.core.$ZodCheck<z.output<Entry>[]>[]
) {
  return z
    .preprocess(
      (written) => {
        if (written === null || written === false) return [];
        return Array.isArray(written) ? written : [written];
      },
      z.array(entry).check(...checks),
    )
    .prefault(absent === 'off' ? false : {})
    .describe(description)
    .register(forms, { form: 'one_many_or_off' });
}

/** A mapping that turns something on; false, null or absent, it is off, and false once read. */
export function oneOrOff<Entry extends z.ZodType>(description: string, entry: Entry) {
  return z
    .preprocess((written) => (written === false ? null : written), entry.nullable())
    .transform((read) => read ?? (false as const))
    .prefault(false)
    .describe(description)
    .register(forms, { form: 'one_or_off' });
}
