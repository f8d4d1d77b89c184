import { ConfigError } from '../config/problems.js';
import { codeOf, reasonOf } from '../errors.js';
import { readSecretFile } from '../secret-file.js';
import { parseUsers, type Users } from './users.js';

/** The permissions of others than owner and group. */
const OTHERS = 0o007;

/**
 * Reads and checks a users file.
 * @throws ConfigError with every problem that was found, or the one that kept the file from being read; it shows no values.
 */
export async function readUsers(file: string): Promise<Users> {
  return parseUsers(await readUsersText(file), file);
}

/**
 * The text of a users file, which others than its owner and group must not be able to read.
 * @throws ConfigError
 */
async function readUsersText(file: string): Promise<string> {
  const fail = (message: string, cause?: unknown) => new ConfigError(file, [{ key: '', message }], { cause });
  try {
    const bytes = await readSecretFile(file, ({ mode }) => {
      if ((mode & OTHERS) !== 0)
        throw fail(`can be read by everyone on this machine, and holds keys: chmod 600 ${file}`);
    });
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw fail(problemWith(error), error);
  }
}

function problemWith(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return 'there is no such file: `slipway user add NAME` makes it (or delete access.users, if there are no users)';
    case 'EACCES':
      return 'permission denied: it must be readable by the user that runs slipway (chown it to that user)';
    case 'EISDIR':
      return 'is a directory, not a users file';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'is not UTF-8 text';
    default:
      return `cannot be read: ${reasonOf(error)}`;
  }
}
