import type { Config } from '../config/schema.js';
import { Rules } from './rules.js';
import { Users } from './users.js';
import { readUsers } from './users-file.js';

/** Who may connect and what they may do: what the config says, with the file that it names. */
export interface Policy {
  readonly rules: Rules;
  readonly users: Users;
  /** Without a file of users whoever has a certificate is one. */
  readonly anyCertificate: boolean;
}

/**
 * The policy of a config; undefined where it has none: then everybody may do everything.
 * @throws ConfigError when the users file cannot be used
 */
export async function readPolicy(config: Config['access']): Promise<Policy | undefined> {
  if (!config) return undefined;
  const users = config.users ? await readUsers(config.users.file) : new Users();
  return { rules: new Rules(config), users, anyCertificate: config.users === undefined };
}
