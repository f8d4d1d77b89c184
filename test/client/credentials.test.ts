import { writeFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ConnectOptions } from '../../src/client/options.js';
import { parseConfig } from '../../src/config/load.js';
import { connect } from '../../src/index.js';
import { connectTo, type RunningGateway, startGateway, until } from '../support/gateways.js';
import { usersText } from '../support/policies.js';
import { usersFile } from '../support/users-file.js';

const KEY = '202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f';
const PASSWORD = 'correct horse';
const TOKEN = 'slipway_test';

let file: string;
let config: { readonly access: object };
let running: RunningGateway;

beforeEach(async () => {
  file = await usersFile(
    { ada: { password: PASSWORD, tokens: { test: TOKEN } } },
    { pump: Buffer.from(KEY, 'hex') },
  );
  config = { access: { users: { file }, rules: [{ who: 'authenticated', emit: '#' }] } };
  running = await startGateway(config);
});

describe('connect', () => {
  it('lets a program in that has the password of its user', async () => {
    const client = await connectTo(running.tcp, { user: 'ada', password: PASSWORD });
    await client.emit('a', 'x');
    expect(client.connected).toBe(true);
  });

  it('lets a program in that has a token', async () => {
    const client = await connectTo(running.tcp, { token: TOKEN });
    await client.emit('a', 'x');
  });

  it('lets a program in that has the key of its identity, again after an absence', async () => {
    const client = await connectTo(running.tcp, { identity: 'pump', key: KEY });
    await client.close();
    const again = await connectTo(running.tcp, { identity: 'pump', key: Buffer.from(KEY, 'hex') });
    expect(again.connected).toBe(true);
  });

  it.each([
    ['a wrong password', { user: 'ada', password: 'guess' }, 'the user name or the password is not right'],
    ['a user that is not known', { user: 'eve', password: PASSWORD }, 'the user name or the password'],
    ['a wrong key', { identity: 'pump', key: KEY.replaceAll('2', '3') }, 'the key is not the one'],
    ['a key that the gateway does not have', { identity: 'mill', key: KEY }, 'the key is not the one'],
    ['a wrong token', { token: 'guess' }, 'the token is not right'],
    ['no key for a name that has one', { identity: 'pump' }, 'the gateway wants to know who this is'],
  ])('is refused with %s, at once and for good', async (_, options, problem) => {
    const refused = connect({ ...running.tcp, ...options });
    await expect(refused).rejects.toMatchObject({ code: 'bad_credentials' });
    await expect(refused).rejects.toThrow(problem);
    await expect(refused).rejects.not.toThrow(PASSWORD);
    expect(running.count('session.refused.bad_credentials')).toBe(1);
    expect(running.log.some(({ msg }) => msg.includes(PASSWORD) || msg.includes('guess'))).toBe(false);
  });

  it('is told where no rule allows it anything', async () => {
    const refused = connect(running.tcp);
    await expect(refused).rejects.toMatchObject({ code: 'not_allowed' });
    await expect(refused).rejects.toThrow('no rule of the gateway allows it anything');
  });

  it('closes when its user is gone, and tells why', async () => {
    const client = await connectTo(running.tcp, { user: 'ada', password: PASSWORD });
    const heard: string[] = [];
    client.on('disconnected', ({ reason }) => heard.push(reason));
    client.on('refused', ({ code }) => heard.push(code));
    await writeFile(file, usersText({}));
    await running.gateway.reload(parseConfig(JSON.stringify({ version: 1, ...config }), 'test', {}));
    await until(() => expect(heard).toEqual(['not_allowed', 'bad_credentials']));
    await expect(client.emit('a', 'x')).rejects.toMatchObject({ code: 'end_session' });
    expect(running.count('session.refused.bad_credentials')).toBe(1);
  });

  it.each<[string, ConnectOptions, string]>([
    ['a user alone', { user: 'ada' }, 'a user needs a password'],
    ['a password alone', { password: PASSWORD }, 'a password needs a user'],
    ['a token and a password', { user: 'ada', password: PASSWORD, token: 't' }, 'not both'],
    ['a key without a name', { key: KEY }, 'a key belongs to an identity'],
    ['half a key', { identity: 'pump', key: KEY.slice(32) }, '32 bytes, or 64 hexadecimal digits'],
    ['no password', { user: 'ada', password: '' }, 'password has 0 bytes'],
    ['an endless token', { token: 'x'.repeat(256) }, 'token has 256 bytes'],
  ])('does not take %s', async (_, options, problem) => {
    await expect(connect({ ...running.tcp, ...options })).rejects.toMatchObject({ code: 'invalid_option' });
    await expect(connect({ ...running.tcp, ...options })).rejects.toThrow(problem);
  });

  it('does not send a password or token where others can read it, unless it is told to', async () => {
    // An address of nobody (RFC 5737).
    const far = { host: '192.0.2.1', timeoutMs: 1 };
    for (const secret of [{ user: 'ada', password: PASSWORD }, { token: PASSWORD }]) {
      await expect(connect({ ...far, ...secret })).rejects.toMatchObject({ code: 'insecure_connection' });
      await expect(connect({ ...far, ...secret })).rejects.not.toThrow(PASSWORD);
      await expect(connect({ ...far, ...secret, insecure: true })).rejects.toMatchObject({
        code: 'connect_failed',
      });
    }
    // A key does not cross the network.
    await expect(connect({ ...far, identity: 'pump', key: KEY })).rejects.toMatchObject({
      code: 'connect_failed',
    });
  });
});
