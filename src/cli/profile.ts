import { z } from 'zod';
import { SourceDocument } from '../config/document.js';
import { ConfigError } from '../config/problems.js';
import { codeOf, reasonOf } from '../errors.js';
import { readSecretFile } from '../secret-file.js';

/** The permissions of anyone but the owner. */
const OTHERS = 0o077;

const text = z.string('must be text: put it in quotes').exactOptional();
const profile = z.strictObject(
  {
    host: text,
    port: z.int('must be a port from 1 to 65535').min(1).max(65_535).exactOptional(),
    user: text,
    password: text,
    token: text,
    tls: z.boolean('must be true or false').exactOptional(),
    ca: text,
    cert: text,
    key: text,
    servername: text,
    insecure: z.boolean('must be true or false').exactOptional(),
  },
  { error: () => 'must be a mapping ("key: value" lines)' },
);

/** Where a gateway is, and who asks: what commands need not be told each time. */
export type Profile = z.infer<typeof profile>;
const PROFILE_KEYS = Object.keys(profile.shape);

/**
 * Reads a profile.
 * @throws ConfigError when it cannot be read, or others than its owner can read it, or what is in it is wrong: no value is shown
 */
export async function readProfile(file: string): Promise<Profile> {
  const source = new SourceDocument(await readPrivately(file));
  const broken = source.syntaxProblems();
  if (broken.length > 0) throw new ConfigError(file, broken);
  const result = profile.safeParse(source.values() ?? {});
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) =>
        source.problem(
          source.keyOffset([], key),
          key,
          `unknown key (known here: ${PROFILE_KEYS.join(', ')})`,
        ),
      );
    const { offset, key } = source.place(issue.path);
    return [source.problem(offset, key, issue.message)];
  });
  throw new ConfigError(file, problems);
}

/** The text of a file that nobody but its owner can read, nor could when it was opened. */
async function readPrivately(file: string): Promise<string> {
  const fail = (message: string, cause?: unknown) => new ConfigError(file, [{ key: '', message }], { cause });
  try {
    const bytes = await readSecretFile(file, ({ mode }) => {
      if ((mode & OTHERS) !== 0)
        throw fail(`others can read it or write into it, and it may hold a password: chmod 600 ${file}`);
    });
    return bytes.toString();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const missing = codeOf(error) === 'ENOENT';
    throw fail(missing ? 'there is no such file' : `cannot be read: ${reasonOf(error)}`, error);
  }
}
