import { z } from 'zod';

/** What `noRepeats` adds to its issue: where in the list the earlier entry (or its field) is. */
export interface ClashParams {
  readonly other: readonly [index: number, ...field: string[]];
}

/** Text of which `problem` (the rules of PROTOCOL.md §6) finds nothing wrong. */
export function textOf(problem: (text: string) => string | undefined) {
  return z.string().superRefine((text, context) => {
    const message = problem(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
}

/** Refuses a channel or pattern on which nobody but the gateway may emit (PROTOCOL.md §6.1). */
export function notTheGateways(text: string, context: z.core.$RefinementCtx<string>): void {
  if (!text.startsWith('$')) return;
  const message = 'names that begin with "$" are the gateway\'s own: nothing else may emit on them';
  context.addIssue({ code: 'custom', message });
}

/**
 * A check of a list that refuses entries whose `keyOf` is that of an earlier one; undefined is never a repeat. `field`, if
 * given, is the setting of the entry that is pointed at.
 */
export function noRepeats<Entry>(
  keyOf: (entry: Entry) => string | undefined,
  message: string,
  field?: string,
): z.core.$ZodCheck<Entry[]> {
  return z.superRefine<Entry[]>(
    (entries, context) => {
      const first = new Map<string, number>();
      for (const [index, entry] of entries.entries()) {
        const key = isObject(entry) ? keyOf(entry) : undefined;
        if (key === undefined) continue;
        const earlier = first.get(key);
        if (earlier === undefined) {
          first.set(key, index);
          continue;
        }
        const place = (which: number) => (field === undefined ? [which] : [which, field]);
        context.addIssue({ code: 'custom', path: place(index), message, params: { other: place(earlier) } });
      }
    },
    // Run also when an entry is invalid, so that one problem does not hide another.
    { when: ({ value }) => Array.isArray(value) },
  );
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
