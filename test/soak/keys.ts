import { createHash } from 'node:crypto';
import type { Policy } from '../../src/access/policy.js';
import { policy, usersText } from '../support/policies.js';

/** The key of the board of that name: those with odd numbers have one (PROTOCOL.md §4.8). */
export function keyOf(name: string): Uint8Array | undefined {
  return /[13579]$/.test(name) ? createHash('sha256').update(name).digest() : undefined;
}

/** Whoever proves who it is may do everything. */
export function policyFor(names: readonly string[]): Policy {
  const keys = names.flatMap((name) => {
    const key = keyOf(name);
    return key ? [[name, key] as const] : [];
  });
  const rule = { who: 'anyone', emit: '#', subscribe: ['#', '$slipway/#'], broadcast: true };
  return policy({ rules: [rule] }, usersText({}, Object.fromEntries(keys)));
}
