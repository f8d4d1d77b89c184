import { scryptSync } from 'node:crypto';
import { formatHash } from '../../src/access/password.js';
import type { Policy } from '../../src/access/policy.js';
import { Rules } from '../../src/access/rules.js';
import { hashToken, parseUsers } from '../../src/access/users.js';
import { parseConfig } from '../../src/config/load.js';
import type { AccessConfig } from '../../src/config/schema.js';

/** As `formatHash(await hashPassword(password))`, but so cheap that tests need not wait for it. */
export function cheapHash(password: string, salt = 'sixteen bytes ok'): string {
  const hash = scryptSync(password, salt, 32, { N: 2, r: 1, p: 1 });
  return formatHash({ log2N: 1, r: 1, p: 1, salt: Buffer.from(salt), hash });
}

/** The text of a users file: passwords and tokens by user, keys (32 bytes each) by device. */
export function usersText(
  users: Record<string, { password?: string; tokens?: Record<string, string> }>,
  keys: Record<string, Uint8Array> = {},
): string {
  const entries = Object.entries(users).map(([name, { password, tokens = {} }]) => [
    name,
    {
      ...(password !== undefined && { password: cheapHash(password) }),
      tokens: Object.fromEntries(
        Object.entries(tokens).map(([label, token]) => [label, hashToken(Buffer.from(token))]),
      ),
    },
  ]);
  const devices = Object.entries(keys).map(([name, key]) => [
    name,
    { key: Buffer.from(key).toString('hex') },
  ]);
  return JSON.stringify({ users: Object.fromEntries(entries), devices: Object.fromEntries(devices) });
}

/** What a config says of access. */
export function accessConfig(access: object): AccessConfig {
  const { access: read } = parseConfig(JSON.stringify({ version: 1, access }), 'test', {});
  if (!read) throw new RangeError('there are no rules');
  return read;
}

/** A policy of rules as they stand in a config, and the text of a users file, if there is one. */
export function policy(access: object, users?: string): Policy {
  return {
    rules: new Rules(accessConfig(access)),
    users: parseUsers(users ?? '', 'users.yaml'),
    anyCertificate: users === undefined,
  };
}
