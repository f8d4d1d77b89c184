import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { verifyPassword } from '../../src/access/password.js';
import { readUsers } from '../../src/access/users-file.js';
import { keyCommand } from '../../src/cli/key.js';
import { userCommand } from '../../src/cli/user.js';
import { connectTo, until } from '../support/gateways.js';
import { MAIN, Program, slipway } from '../support/programs.js';
import { describeWithTools } from '../support/tools.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-user-'));
  file = join(folder, 'users.yaml');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

/** What it prints on standard output and standard error. */
async function run(
  command: typeof userCommand,
  ...args: string[]
): Promise<{ stdout: string; stderr: string }> {
  const [stdout, stderr] = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockReturnValue(true),
  );
  await command().parseAsync([...args, '-f', file], { from: 'user' });
  const written = [stdout, stderr].map((spy) => spy?.mock.calls.map(([text]) => String(text)).join('') ?? '');
  vi.restoreAllMocks();
  return { stdout: written[0] ?? '', stderr: written[1] ?? '' };
}

const user = (...args: string[]) => run(userCommand, ...args);
const key = (...args: string[]) => run(keyCommand, ...args);

async function isPassword(name: string, password: string): Promise<boolean> {
  return verifyPassword(Buffer.from(password), (await readUsers(file)).get(name)?.password?.hash);
}

describe('slipway user', () => {
  it('reads a password from standard input, keeps no more than a hash, and shows nothing of it', async () => {
    const add = slipway(['user', 'add', 'ada', '-f', file]);
    add.child.stdin.end('correct horse\n');
    expect(await add.ended).toEqual({ code: 0, signal: null });
    expect(await isPassword('ada', 'correct horse')).toBe(true);
    const change = slipway(['user', 'passwd', 'ada', '--file', file]);
    change.child.stdin.end('schön\r\n');
    expect(await change.ended).toEqual({ code: 0, signal: null });
    expect(await isPassword('ada', 'schön')).toBe(true);
    expect(change.stderr).toBe('slipway: warning: a password of less than 8 characters is soon guessed\n');
    const shown = [add, change].map(({ stdout, stderr }) => stdout + stderr).join();
    expect(`${shown}${await readFile(file, 'utf8')}`).not.toMatch(/horse|schön/);
  });

  it.each([
    ['', 'there is no empty password'],
    ['\n', 'there is no empty password'],
    ['two\nlines\n', 'standard input has to hold one line'],
    ['x'.repeat(256), 'a password can have 255 bytes at most'],
  ])('does not take %j for a password', async (input, problem) => {
    const add = slipway(['user', 'add', 'ada', '-f', file]);
    add.child.stdin.end(input);
    expect(await add.ended).toEqual({ code: 1, signal: null });
    expect(add.stderr).toContain(`${problem}`);
    expect(add.stderr).toContain('nothing was changed');
    await expect(readUsers(file)).rejects.toThrow('there is no such file');
  });

  it('makes tokens that it shows once, lists what there is, and takes it away', async () => {
    await user('add', 'ada', '--no-password');
    const { stdout, stderr } = await user('token', 'ada', 'desk');
    expect(stdout).toMatch(/^slipway_[A-Za-z0-9_-]{43}\n$/);
    expect(stderr).toContain('shown once');
    const token = stdout.trim();
    expect((await readUsers(file)).tokenOf(Buffer.from(token))?.user).toBe('ada');
    expect(await readFile(file, 'utf8')).not.toContain(token.slice(8));
    await expect(user('token', 'ada', 'desk')).rejects.toMatchObject({ code: 'token_exists' });
    await user('add', 'bob', '--no-password');
    expect((await user('list')).stdout).toBe('ada\tno password, token desk\nbob\tno password\n');
    expect(JSON.parse((await user('list', '--json')).stdout)[0]).toEqual({
      name: 'ada',
      password: false,
      tokens: ['desk'],
    });
    await user('revoke', 'ada', 'desk');
    expect((await readUsers(file)).tokenOf(Buffer.from(token))).toBeUndefined();
    await user('remove', 'ada');
    expect((await user('list')).stdout).toBe('bob\tno password\n');
  });

  it('says what is wrong', async () => {
    await user('add', 'ada', '--no-password');
    await expect(user('add', 'ada', '--no-password')).rejects.toMatchObject({ code: 'user_exists' });
    for (const args of [
      ['passwd', 'eve'],
      ['remove', 'eve'],
      ['token', 'eve', 'x'],
    ])
      await expect(user(...args)).rejects.toMatchObject({ code: 'no_such_user' });
    await expect(user('revoke', 'ada', 'x')).rejects.toMatchObject({ code: 'no_such_token' });
    await expect(user('add', 'a/b', '--no-password')).rejects.toMatchObject({
      code: 'usage',
      message: 'the name of a user cannot contain "/"',
    });
    await expect(user('token', 'ada', 'a b')).rejects.toMatchObject({
      message: 'a label cannot contain a space',
    });
  });

  it('counts after SIGHUP: who is removed is disconnected, whoever is added may come', async () => {
    const config = join(folder, 'slipway.yaml');
    const rules = '[{ who: authenticated, emit: "#", subscribe: "#" }]';
    const access = `{ users: { file: users.yaml }, rules: ${rules} }`;
    await writeFile(config, `version: 1\nlisten: { tcp: { port: 0 }, udp: false }\naccess: ${access}\n`);
    await user('add', 'ada', '--no-password');
    await user('add', 'bob', '--no-password');
    const tokenOf = async (name: string) => (await user('token', name, 'test')).stdout.trim();
    const tokens = { ada: await tokenOf('ada'), bob: await tokenOf('bob') };
    const daemon = slipway(['run', '-c', config]);
    const { tcp } = JSON.parse((await daemon.prints(/\{.*"tcp":.*\n/))[0]);
    const ada = await connectTo(tcp, { token: tokens.ada });
    const bob = await connectTo(tcp, { token: tokens.bob });
    const reasons: string[] = [];
    ada.on('disconnected', ({ reason }) => void reasons.push(reason));
    await user('remove', 'ada');
    await user('add', 'eve', '--no-password');
    const eve = await tokenOf('eve');
    daemon.child.kill('SIGHUP');
    await until(() => expect(reasons).toEqual(['not_allowed']));
    await expect(connectTo(tcp, { token: tokens.ada })).rejects.toMatchObject({ code: 'bad_credentials' });
    await (await connectTo(tcp, { token: eve })).emit('x', 'hello');
    await bob.emit('x', 'still here');
    expect(daemon.stdout).not.toMatch(new RegExp(Object.values(tokens).join('|')));
  });

  it('finds the file that the config names', async () => {
    const access =
      "access: { users: { file: users.yaml }, rules: [{ who: authenticated, emit: '#', subscribe: '#' }] }";
    const config = join(folder, 'slipway.yaml');
    await writeFile(config, `version: 1\n${access}\n`);
    const add = slipway(['user', 'add', 'ada', '-c', config, '--no-password']);
    expect(await add.ended).toEqual({ code: 0, signal: null });
    expect(add.stdout).toContain(`ada is in ${file} now`);
    await writeFile(config, 'version: 1\n');
    const lost = slipway(['user', 'list', '-c', config]);
    expect(await lost.ended).toEqual({ code: 2, signal: null });
    expect(lost.stderr).toBe(
      `slipway: which users file? write "${access}" in ${config}, or name one with --file\n`,
    );
  });
});

describeWithTools(['socat'], 'slipway user at a terminal', () => {
  it('asks twice and without echo', async () => {
    const ask = async (...typed: string[]) => {
      // cat: socat ends with the last program at the terminal, and may not have told then what that said last.
      const command = `SYSTEM:"${process.execPath} ${MAIN} user add ada -f ${file}; cat",pty,setsid,ctty,stderr`;
      const terminal = new Program('socat', ['-', command]);
      for (const [index, line] of typed.entries()) {
        await terminal.prints(index === 0 ? /New password for ada: $/ : /Once more: $/);
        terminal.child.stdin.write(line);
      }
      await terminal.prints(/ada is in|slipway: .*changed/);
      return terminal.stdout;
    };
    expect(await ask('correct house\r', 'correct horse\n')).toContain('the two are not the same');
    expect(await ask('typed\u0003')).toContain('cancelled: nothing was changed');
    const shown = await ask('wrong\u0015correct hoof\u007f\u007frse\r', 'correct horse\n');
    expect(shown).toContain(`ada is in ${file} now`);
    expect(shown).not.toMatch(/correct|hoof|rse/);
    expect(await isPassword('ada', 'correct horse')).toBe(true);
  });
});

describe('slipway key', () => {
  it('makes keys, lists the devices that have one, and forgets them', async () => {
    const { stdout, stderr } = await key('add', 'pump');
    expect(stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(stderr).toMatch(/uint8_t key\[32\] PROGMEM = \{(0x[0-9a-f]{2}(, )?){32}\};/);
    expect((await readUsers(file)).keyOf('pump')?.bytes).toEqual(Buffer.from(stdout.trim(), 'hex'));
    await expect(key('add', 'pump')).rejects.toMatchObject({ code: 'key_exists' });
    await expect(key('add', 'a b')).rejects.toMatchObject({ code: 'usage' });
    await key('add', 'mill');
    expect((await key('list')).stdout).toBe('pump\nmill\n');
    expect(JSON.parse((await key('list', '--json')).stdout)).toEqual(['pump', 'mill']);
    await key('remove', 'pump');
    await expect(key('remove', 'pump')).rejects.toMatchObject({ code: 'no_such_key' });
    expect((await key('list')).stdout).toBe('mill\n');
  });
});
