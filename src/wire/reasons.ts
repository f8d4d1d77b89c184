/** Why something was refused or ended, by code (PROTOCOL.md §7). The index in this list is the code. */
export const REASONS = [
  'normal',
  'end_session',
  'shutdown',
  'no_session',
  'version',
  'identity_in_use',
  'identity_invalid',
  'not_allowed',
  'too_large',
  'too_large_for_receiver',
  'no_such_id',
  'bad_channel',
  'limit_reached',
  'queue_full',
  'malformed',
  'unsupported',
  'timeout',
  'taken_over',
  'too_slow',
  'prove_address',
  'not_stored',
  'bad_credentials',
  'prove_identity',
  'too_many_attempts',
] as const;

export type ReasonName = (typeof REASONS)[number];

/** A reason of §7, or `reason_<code>` for a code that this version does not know. */
export type Reason = ReasonName | `reason_${number}`;

export function reasonOfCode(code: number): Reason {
  return REASONS[code] ?? `reason_${code}`;
}

export function codeOfReason(reason: Reason): number {
  const code = REASONS.indexOf(reason as ReasonName);
  return code >= 0 ? code : Number(reason.slice('reason_'.length));
}
