import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseUsers } from '../../src/access/users.js';
import { readUsers } from '../../src/access/users-file.js';
import { ConfigError } from '../../src/config/problems.js';
import { cheapHash, usersText } from '../support/policies.js';

const key = Buffer.alloc(32, 7);

function problemsIn(text: string): string[] {
  try {
    parseUsers(text, 'FILE');
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
}

describe('a users file', () => {
  it('tells users, their tokens, and keys of devices', () => {
    const users = parseUsers(
      usersText({ ada: { password: 'x', tokens: { desk: 't1' } }, bob: {} }, { pump: key }),
      'FILE',
    );
    expect(users.get('ada')?.password?.hash).toMatchObject({ log2N: 1 });
    expect(users.get('bob')).toMatchObject({ name: 'bob', password: undefined });
    expect(users.get('eve')).toBeUndefined();
    expect(users.tokenOf(Buffer.from('t1'))?.user).toBe('ada');
    expect(users.tokenOf(Buffer.from('t2'))).toBeUndefined();
    expect(users.keyOf('pump')?.bytes).toEqual(key);
  });

  it.each(['', '# nobody yet\n', 'users:\ndevices:\n', 'users: {}\n'])('may hold nobody: %j', (text) => {
    expect(parseUsers(text, 'FILE').get('ada')).toBeUndefined();
  });

  it('gives each password and token a name of its own, which changes with it', () => {
    const credentials = (password: string) =>
      parseUsers(usersText({ ada: { password, tokens: { desk: 't' } } }), 'FILE').get('ada')?.credentials;
    const [before, after] = [credentials('one'), credentials('two')];
    expect(before?.size).toBe(2);
    expect([...(before ?? [])].filter((name) => after?.has(name))).toHaveLength(1);
  });

  it('is refused with every place where it is wrong, and shows no value', () => {
    const text = `users:
  ada: { password: hunter2hunter2, tokens: { desk: hunter2hunter2 } }
  bob: { password: 31337313373, passwort: hunter2hunter2 }
  "e ve": {}
  ada: {}
  zoe: hunter2hunter2
devices:
  pump: { key: 1234567812345678123456781234567812345678123456781234567812345678 }
  a/b: { key: "${'0'.repeat(64)}" }
`;
    const report = problemsIn(text);
    expect(report.map((line) => line.replace(/(FILE:\d+):\d+: (\S+) .*/, '$1 $2'))).toEqual([
      'FILE:3 users.bob.password:',
      'FILE:3 users.bob:',
      'FILE:4 users.e',
      'FILE:5 users.ada:',
      'FILE:6 users.zoe:',
      'FILE:8 devices.pump.key:',
      'FILE:9 devices.a/b:',
    ]);
    expect(report.join()).not.toMatch(/hunter2|31337|12345/);
    expect(problemsIn('users: [ada: "hunter2')).toEqual(['FILE:1:22: is not valid YAML']);
    expect(problemsIn('users:\n  ada: *hunter2\n')).toEqual([expect.stringMatching(/not valid YAML$/)]);
    expect(problemsIn('- hunter2')).toEqual([expect.stringMatching(/must be a mapping: users, devices$/)]);
  });
});

it('whatever stands in the file, it is taken or refused', () => {
  const pieces = [
    'users',
    'devices',
    'ada',
    'password',
    'tokens',
    'key',
    ':',
    ' ',
    '\n',
    '\n  ',
    '- ',
    '{',
    '}',
  ];
  const marks = ['[', ']', '"', "'", '&a', '*a', '|', '>', '!', '%', '#', '<<'];
  const texts = fc.array(fc.constantFrom(...pieces, ...marks), { maxLength: 40 });
  fc.assert(
    // Anything but a ConfigError is thrown on.
    fc.property(texts, (text) => void problemsIn(text.join(''))),
    { numRuns: 300 },
  );
});

describe('reading it', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-users-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const write = async (name: string, text: string | Uint8Array, mode: number) => {
    const file = join(folder, name);
    await writeFile(file, text);
    await chmod(file, mode);
    return file;
  };

  it('takes one that its owner and group can read', async () => {
    const text = `users: { ada: { password: "${cheapHash('x')}" } }`;
    for (const mode of [0o600, 0o640]) {
      const file = await write('users.yaml', text, mode);
      expect((await readUsers(file)).get('ada')?.name).toBe('ada');
    }
  });

  it.runIf(process.platform !== 'win32')(
    'refuses one that everybody can read, and says the mend',
    async () => {
      const file = await write('open.yaml', '', 0o604);
      await expect(readUsers(file)).rejects.toThrow(
        `${file}: can be read by everyone on this machine, and holds keys: chmod 600 ${file}`,
      );
    },
  );

  it('says what keeps it from being read', async () => {
    const missing = join(folder, 'missing.yaml');
    await expect(readUsers(missing)).rejects.toThrow(
      /there is no such file: `slipway user add NAME` makes it/,
    );
    await chmod(folder, 0o700);
    await expect(readUsers(folder)).rejects.toThrow('is a directory, not a users file');
    const latin = await write('latin.yaml', Uint8Array.of(0xe9), 0o600);
    await expect(readUsers(latin)).rejects.toThrow('is not UTF-8 text');
  });
});
