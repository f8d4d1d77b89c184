import { createHash } from 'node:crypto';
import { isMap } from 'yaml';
import { z } from 'zod';
import { keyName, SourceDocument, shown, walk } from '../config/document.js';
import { repeatedKeys } from '../config/load.js';
import { ConfigError, type Problem } from '../config/problems.js';
import { identityProblem } from '../wire/channels.js';
import { type PasswordHash, parseHash } from './password.js';

/** Every token begins so, so that one that was published by accident can be found. */
export const TOKEN_PREFIX = 'slipway_';
/** Bytes of the key of a device. */
export const KEY_BYTES = 32;

export interface User {
  readonly name: string;
  readonly password: { readonly hash: PasswordHash; readonly credential: string } | undefined;
  /** What names its password and its tokens (`Principal.credential`). */
  readonly credentials: ReadonlySet<string>;
  /** The labels of its tokens. */
  readonly tokens: readonly string[];
}

/** The token of a user. */
export interface Token {
  readonly user: string;
  readonly credential: string;
}

/** The key of a device, and what names it (`Principal.key`). */
export interface DeviceKey {
  readonly bytes: Uint8Array;
  readonly credential: string;
}

/** The users and the keys of devices, as the file tells them. */
export class Users {
  readonly #users = new Map<string, User>();
  readonly #tokens = new Map<string, Token>();
  readonly #keys = new Map<string, DeviceKey>();

  constructor({ users, devices }: Contents = { users: {}, devices: {} }) {
    for (const [name, { password, tokens }] of Object.entries(users)) {
      const texts = Object.values(tokens);
      for (const text of texts) this.#tokens.set(text, { user: name, credential: credentialOf(text) });
      const hash = password === undefined ? undefined : parseHash(password);
      this.#users.set(name, {
        name,
        password: hash && { hash, credential: credentialOf(password ?? '') },
        credentials: new Set([password ?? [], ...texts].flat().map(credentialOf)),
        tokens: Object.keys(tokens),
      });
    }
    for (const [name, { key }] of Object.entries(devices))
      this.#keys.set(name, { bytes: Buffer.from(key, 'hex'), credential: credentialOf(key) });
  }

  /** The users in the order of the file, without secrets. */
  list(): { name: string; password: boolean; tokens: readonly string[] }[] {
    return Array.from(this.#users.values(), ({ name, password, tokens }) => ({
      name,
      password: password !== undefined,
      tokens,
    }));
  }

  /** The devices that have keys, in the order of the file. */
  devices(): string[] {
    return [...this.#keys.keys()];
  }

  get(name: string): User | undefined {
    return this.#users.get(name);
  }

  /**
   * Whose token that is. It is looked up by its hash: how long that takes tells nothing of tokens, since nobody can choose
   * what theirs is hashed to.
   */
  tokenOf(secret: Uint8Array): Token | undefined {
    return this.#tokens.get(hashToken(secret));
  }

  /** The key of the device of that identity. */
  keyOf(identity: string): DeviceKey | undefined {
    return this.#keys.get(identity);
  }
}

/** A token as it stands in the file. It has 256 random bits: nobody can try them out, so a fast hash does. */
export function hashToken(secret: Uint8Array): string {
  return `sha256:${createHash('sha256').update(secret).digest('base64')}`;
}

/** What names an entry of the file, without telling it. */
function credentialOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

/** What is wrong with the name of a user, as a short clause, or undefined when nothing is: the rules are those of identities. */
export function userProblem(name: string): string | undefined {
  return identityProblem(name)?.replace(/^an identity/, 'the name of a user');
}

// No message shows a value: somebody may have written a password where its hash belongs.
const entries = <Entry extends z.ZodType>(entry: Entry) =>
  z
    .preprocess((written) => written ?? {}, z.record(z.string(), entry, 'must be a mapping of names'))
    .prefault({});

const text = (form: RegExp | ((value: string) => boolean), message: string) =>
  z
    .string({ error: message })
    .refine((value) => (form instanceof RegExp ? form.test(value) : form(value)), { error: message });

const USER = z.preprocess(
  (written) => written ?? {},
  z.strictObject(
    {
      password: text(
        (value) => parseHash(value) !== undefined,
        'is no hash of a password: set one with `slipway user passwd NAME`',
      ).exactOptional(),
      tokens: entries(
        text(/^sha256:[A-Za-z0-9+/]{43}=$/, 'is no hash of a token: make one with `slipway user token NAME`'),
      ),
    },
    'must be a mapping: password, tokens',
  ),
);

const DEVICE = z.strictObject(
  {
    key: text(
      new RegExp(`^[0-9a-f]{${2 * KEY_BYTES}}$`, 'i'),
      `is no key, which has ${2 * KEY_BYTES} hex digits in quotes: make one with \`slipway key add NAME\``,
    ),
  },
  'must be a mapping: key',
);

const named = <Entry extends z.ZodType>(entry: Entry, problemOf: (name: string) => string | undefined) =>
  entries(entry).superRefine(
    (read, context) => {
      for (const name of Object.keys(read)) {
        const message = problemOf(name);
        if (message !== undefined) context.addIssue({ code: 'custom', path: [name], message });
      }
    },
    // Run also when an entry is wrong: all problems are reported at once.
    { when: ({ value }) => typeof value === 'object' && value !== null },
  );

const FILE = z.strictObject(
  { users: named(USER, userProblem), devices: named(DEVICE, identityProblem) },
  'must be a mapping: users, devices',
);

type Contents = z.output<typeof FILE>;

/**
 * Reads the text of a users file; `fileName` is for messages only.
 * @throws ConfigError with every problem that was found; it shows no values.
 */
export function parseUsers(fileText: string, fileName: string): Users {
  const source = new SourceDocument(fileText);
  const broken = source.syntaxProblems().map((problem) => ({ ...problem, message: 'is not valid YAML' }));
  if (broken.length > 0) throw new ConfigError(fileName, broken);
  const read = FILE.safeParse(valuesOf(source, fileName));
  const issues = read.success ? [] : read.error.issues;
  const problems = [
    ...repeatedKeys(source),
    ...unusableNames(source),
    ...issues.flatMap((issue) => problemsOf(source, issue)),
  ];
  if (!read.success || problems.length > 0) throw new ConfigError(fileName, problems);
  return new Users(read.data);
}

function valuesOf(source: SourceDocument, fileName: string): unknown {
  try {
    return source.values() ?? {};
  } catch {
    throw new ConfigError(fileName, [{ key: '', message: 'is not valid YAML' }]);
  }
}

/** What no plain object can have as a key would be left out without a word. */
function unusableNames(source: SourceDocument): Problem[] {
  const problems: Problem[] = [];
  for (const { node, path } of walk(source.yaml.contents)) {
    if (!isMap(node)) continue;
    const pair = node.items.find((item) => keyName(item) === '__proto__');
    if (pair)
      problems.push(source.problem(node.range?.[0] ?? 0, shown([...path, '__proto__']), 'is no name'));
  }
  return problems;
}

function problemsOf(source: SourceDocument, issue: z.core.$ZodIssue): Problem[] {
  const { key, offset } = source.place(issue.path);
  if (issue.code !== 'unrecognized_keys') return [source.problem(offset, key, issue.message)];
  return issue.keys.map((name) =>
    source.problem(source.keyOffset(issue.path, name), key, `does not know the key ${JSON.stringify(name)}`),
  );
}
