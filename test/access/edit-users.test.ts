import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { editUsers } from '../../src/access/edit-users.js';
import { readUsers } from '../../src/access/users-file.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-users-'));
  file = join(folder, 'users.yaml');
});
afterEach(() => rm(folder, { recursive: true }));

const addUser = (name: string) => editUsers(file, (users) => users.set(['users', name], {}));
const names = async () => (await readUsers(file)).list().map(({ name }) => name);

describe('editing a users file', () => {
  it('makes one that only its owner can read', async () => {
    await addUser('ada');
    expect(await names()).toEqual(['ada']);
    expect((await stat(file)).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o600);
    expect(await readdir(folder)).toEqual(['users.yaml']);
  });

  it('keeps comments, order and what else is there', async () => {
    await writeFile(file, '# mine\nusers:\n  # first\n  zoe: {} # z\n\n  ada:\ndevices:\n', { mode: 0o600 });
    await editUsers(file, (users) => {
      users.set(['users', 'ada', 'tokens', 'desk'], `sha256:${'A'.repeat(43)}=`);
      users.set(['devices', 'pump'], { key: '7'.repeat(64) });
    });
    const text = await readFile(file, 'utf8');
    for (const comment of ['# mine', '# first', '# z']) expect(text).toContain(comment);
    expect(await names()).toEqual(['zoe', 'ada']);
    expect((await readUsers(file)).devices()).toEqual(['pump']);
    await editUsers(file, (users) => users.delete(['users', 'ada']));
    expect(await names()).toEqual(['zoe']);
  });

  it.each(['123', 'true', 'null', '~', '1e3', 'a:b', "it's", '*x', 'ключ'])(
    'takes a user called %s',
    async (name) => {
      await addUser('other');
      await addUser(name);
      expect((await names()).sort()).toEqual(['other', name].sort());
      await editUsers(file, (users) => {
        expect(users.has(['users', name])).toBe(true);
        users.delete(['users', name]);
      });
      expect(await names()).toEqual(['other']);
    },
  );

  it.runIf(process.platform !== 'win32')('leaves a link, and the permissions of a group', async () => {
    const real = join(folder, 'real.yaml');
    await writeFile(real, 'users: { ada: }');
    await chmod(real, 0o646);
    await symlink(real, file);
    await addUser('bob');
    expect(await names()).toEqual(['ada', 'bob']);
    expect((await stat(real)).mode & 0o777).toBe(0o640);
    expect((await readdir(folder)).sort()).toEqual(['real.yaml', 'users.yaml']);
  });

  it('loses nothing of what several write at once', async () => {
    const all = Array.from({ length: 10 }, (_, i) => `user-${i}`);
    await Promise.all(all.map((name) => addUser(name)));
    expect((await names()).sort()).toEqual(all);
  });

  it('changes nothing when something is wrong', async () => {
    const broken = 'users: { ada: { password: "in plain sight" } }';
    await writeFile(file, broken);
    await expect(addUser('bob')).rejects.toThrow(/users\.ada\.password: is no hash of a password/);
    expect(await readFile(file, 'utf8')).toBe(broken);
    await writeFile(file, '');
    await expect(addUser('__proto__')).rejects.toThrow('is no name');
    await expect(addUser('a b')).rejects.toThrow('cannot contain a space');
    const thrown = new RangeError('by the caller');
    await expect(
      editUsers(file, () => {
        throw thrown;
      }),
    ).rejects.toMatchObject({ code: 'users_file_unwritable', cause: thrown });
    expect(await readFile(file, 'utf8')).toBe('');
    expect(await readdir(folder)).toEqual(['users.yaml']);
  });

  it('says why it cannot write', async () => {
    const nowhere = join(folder, 'nowhere', 'users.yaml');
    await expect(editUsers(nowhere, () => undefined)).rejects.toMatchObject({
      code: 'users_file_unwritable',
      message: expect.stringContaining(`${nowhere} cannot be written: ENOENT`),
    });
  });
});
