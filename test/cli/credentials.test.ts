import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type RunningGateway, startGateway } from '../support/gateways.js';
import { type Program, slipway } from '../support/programs.js';
import { usersFile } from '../support/users-file.js';

const PASSWORD = 'correct horse';
const TOKEN = 'slipway_test';

let running: RunningGateway;

beforeEach(async () => {
  const file = await usersFile({ ada: { password: PASSWORD, tokens: { test: TOKEN } } });
  const rules = [{ who: 'authenticated', emit: '#', subscribe: '$slipway/#' }];
  running = await startGateway({ access: { users: { file }, rules } });
});

async function profile(text: string, mode = 0o600): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'profile.yaml');
  await writeFile(file, text);
  await chmod(file, mode);
  return file;
}

function emit(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Program {
  return slipway(['emit', 'a', 'x', '--port', String(running.tcp.port), ...args], undefined, env);
}

async function expectDone(program: Program): Promise<void> {
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.stderr).toBe('');
}

describe('who asks', () => {
  it('is told by a flag and the environment, or by that alone', async () => {
    await Promise.all([
      expectDone(emit(['--user', 'ada'], { SLIPWAY_PASSWORD: PASSWORD })),
      expectDone(emit([], { SLIPWAY_USER: 'ada', SLIPWAY_PASSWORD: PASSWORD })),
      expectDone(emit([], { SLIPWAY_TOKEN: TOKEN })),
    ]);
  });

  it('is told by a profile, which says where the gateway is as well', async () => {
    const { host, port } = running.tcp;
    const file = await profile(`host: ${host}\nport: ${port}\nuser: ada\npassword: ${PASSWORD}\n`);
    const program = slipway(['devices', '--profile', file]);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    // What is said for this time comes first.
    const wrong = emit(['--profile', file], { SLIPWAY_PASSWORD: 'guess' });
    expect(await wrong.ended).toEqual({ code: 1, signal: null });
  });

  it.each([
    ['by nobody', {}, 'no rule of the gateway allows it anything'],
    [
      'wrongly',
      { SLIPWAY_USER: 'ada', SLIPWAY_PASSWORD: 'guess' },
      'the user name or the password is not right',
    ],
  ])('is told %s: one line says so, without the password', async (_, env, problem) => {
    const program = emit([], env);
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toContain(problem);
    expect(program.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(program.stderr).not.toContain('guess');
  });

  it('has to have a password', async () => {
    const program = emit(['--user', 'ada']);
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.stderr).toContain('there is no password for ada: set SLIPWAY_PASSWORD, or');
  });

  it('is asked for by the doctor, too', async () => {
    const config = await profile(`version: 1\nlisten: { tcp: { port: ${running.tcp.port} } }\n`);
    const stranger = slipway(['doctor', '--config', config]);
    expect(await stranger.ended).toEqual({ code: 1, signal: null });
    expect(stranger.stdout).toContain('does not let the doctor in');
    const known = slipway(['doctor', '--config', config], undefined, { SLIPWAY_TOKEN: TOKEN });
    await known.ended;
    expect(known.stdout).toContain(`runs, at 127.0.0.1 port ${running.tcp.port}`);
  });
});

describe('a profile', () => {
  it.each([0o640, 0o604, 0o620, 0o666])('that others have a hand in is refused (mode %o)', async (mode) => {
    const file = await profile(`user: ada\npassword: ${PASSWORD}\n`, mode);
    const program = emit(['--profile', file]);
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.stderr).toContain(`chmod 600 ${file}`);
  });

  it.each([
    [
      'passwort: geheim',
      ':1:1: passwort: unknown key (known here: host, port, user, password, token, tls, ca, cert, key, servername, insecure)',
    ],
    ['user: ada\npassword: 12345', ':2:11: password: must be text: put it in quotes'],
    ['- geheim', ': must be a mapping'],
    ['user: [', 'not valid YAML'],
  ])('that is wrong is told with the place and no value: %s', async (text, problem) => {
    const program = emit(['--profile', await profile(`${text}\n`)]);
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.stderr).toContain(problem);
    expect(program.stderr).not.toMatch(/geheim|12345/);
  });

  it('that is not there is told', async () => {
    const program = emit(['--profile', '/nonexistent/profile.yaml']);
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.stderr).toBe('/nonexistent/profile.yaml: there is no such file\n');
  });
});
