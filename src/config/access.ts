import { z } from 'zod';
import { parseSubject, SUBJECT_FORMS } from '../access/subject.js';
import { isLoopback } from '../links/party.js';
import { patternProblem } from '../wire/channels.js';
import { list, oneOrMany, oneOrOff } from './forms.js';
import { isHost } from './listen.js';
import { suggestion } from './nearest.js';
import { notTheGateways, textOf } from './rules.js';

/** Of one rule: beyond that, something has gone wrong with the file. */
const MAX_ENTRIES = 1000;

const who = oneOrMany(
  'Whom the rule is for: anyone, authenticated (users, and devices that proved their key), serial, loopback, user:NAME, device:NAME; in a name * stands for any characters.',
  z.string().superRefine((text, context) => {
    if (parseSubject(text) !== undefined) return;
    const forms = SUBJECT_FORMS.join(', ');
    const meant = suggestion(
      text,
      SUBJECT_FORMS.filter((form) => !form.includes(':')),
    );
    context.addIssue({ code: 'custom', message: `"${text}" is none of ${forms}${meant}` });
  }),
  MAX_ENTRIES,
);

const rule = z
  .strictObject({
    who,
    emit: oneOrMany(
      'Patterns of the channels that they may emit on. %u stands for the user, %d for the device.',
      textOf(patternProblem).superRefine(notTheGateways),
      MAX_ENTRIES,
    ).exactOptional(),
    subscribe: oneOrMany(
      "Patterns of the channels that they may hear. %u and %d as for emit. The gateway's own, $slipway/…, only where they are named: # leaves them out.",
      textOf(patternProblem),
      MAX_ENTRIES,
    ).exactOptional(),
    broadcast: z.boolean().prefault(false).describe('Whether they may send to everyone connected.'),
  })
  .superRefine(
    ({ emit, subscribe, broadcast }, context) => {
      if (emit !== undefined || subscribe !== undefined || broadcast !== false) return;
      context.addIssue({
        code: 'custom',
        message: 'allows nothing: give it emit, subscribe or broadcast: true',
      });
    },
    { when: ({ value }) => isObject(value) },
  );

/** Who may connect and what they may do, or false where there are no rules. */
export const access = oneOrOff(
  'Who may do what. Without it everybody may do everything, and there can be no listener that other machines reach.',
  z.strictObject({
    users: z
      .strictObject({
        file: z
          .string()
          .min(1, { error: 'cannot be empty: name the file, as users.yaml' })
          .describe(
            'What `slipway user` and `slipway key` write: passwords (hashed), tokens (hashed), keys of devices. A relative path starts at the folder of this file.',
          ),
      })
      .exactOptional()
      .describe('Where users and keys of devices are.'),
    trust_names: z
      .boolean()
      .prefault(false)
      .describe(
        'Whether a device is believed to be who it says over the network, too, where it has no key. Otherwise rules for devices are for those that prove a key, and for serial lines and programs on this machine.',
      ),
    rules: list('What is allowed. What no rule allows is not.', rule, allowsSomething()),
  }),
);

/** Whoever has not written any yet would be locked out, and everyone else with them. */
function allowsSomething(): z.core.$ZodCheck<unknown[]> {
  return z.superRefine<unknown[]>((rules, context) => {
    if (rules.length > 0) return;
    const message =
      "allows nobody anything: give it rules, as - { who: [serial, loopback], emit: '#', subscribe: ['#', $slipway/#] }, or delete access";
    context.addIssue({ code: 'custom', message });
  });
}

/** A config as far as it was read: any part of it may be wrong. */
interface Listening {
  readonly listen?: unknown;
  readonly access?: unknown;
}

/** Refuses a listener that other machines can reach where there are no rules. */
export function rulesForTheNetwork(config: Listening, context: z.core.$RefinementCtx): void {
  if (config.access !== false || !isObject(config.listen)) return;
  for (const [protocol, entries] of Object.entries(config.listen)) {
    if (!Array.isArray(entries)) continue;
    for (const [index, entry] of entries.entries()) {
      const { host } = (entry ?? {}) as { readonly host?: unknown };
      if (typeof host !== 'string' || !isHost(host) || isThisMachine(host)) continue;
      context.addIssue({
        code: 'custom',
        path: ['listen', protocol, index, 'host'],
        message: `other machines can reach "${host}", and nothing says what they may do: add rules (access:), or listen on 127.0.0.1`,
      });
    }
  }
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || isLoopback(host);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
