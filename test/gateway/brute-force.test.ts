import { readFile } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import { generate } from 'mqtt-packet';
import { expect, it } from 'vitest';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { usersFile } from '../support/users-file.js';

const ATTEMPTS = 10_000;
const AT_ONCE = 50;
const ROUNDS = 10;
/** Of this machine, but not where the others are. */
const ATTACKER = '127.0.0.2';
const GUESS = 'guess-9b1f';
/** Server unavailable: too many attempts. Bad user name or password. */
const REFUSED = [3, 4];

/** Tries one password of `user` over MQTT 3.1.1. Returns the code of the CONNACK, or undefined if there was none. */
async function guess(port: number, user: string, password: string): Promise<number | undefined> {
  const socket = connectSocket({ port, host: '127.0.0.1', localAddress: ATTACKER });
  socket.on('error', () => undefined); // 'close' follows.
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.write(
    generate({
      cmd: 'connect',
      clientId: 'attacker',
      username: user,
      password: Buffer.from(password),
      keepalive: 0,
      clean: true,
      protocolId: 'MQTT',
      protocolVersion: 4,
    }),
  );
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks)[3];
}

it('a brute force of 10,000 attempts leaves others served, and tells nobody a password', async () => {
  const file = await usersFile({
    ada: { password: 'correct horse' },
    bob: { password: 'bobs password', tokens: { t: 'slipway_token' } },
  });
  const { gateway, tcp, log, count } = await startGateway({
    listen: { mqtt: { port: 0, max_connections: 1000 } },
    access: { users: { file }, rules: [{ who: 'authenticated', emit: '#', subscribe: '#' }] },
    limits: { per_address: { connections: 1_000_000, links: 1000 } },
  });
  const { port } = gateway.addresses.mqtt[0] ?? expect.unreachable();
  const ada = await connectTo(tcp, { user: 'ada', password: 'correct horse' });
  const heard: string[] = [];
  await ada.subscribe('#', ({ text }) => void heard.push(text));

  const codes: (number | undefined)[] = [];
  let next = 0;
  const attack = Array.from({ length: AT_ONCE }, async () => {
    while (next < ATTEMPTS) {
      const user = ['ada', 'bob', 'nobody'][next % 3] as string;
      codes.push(await guess(port, user, `${GUESS}-${next++}`));
    }
  });
  // One with a token, and one who comes back to where she was before.
  for (let round = 0; round < ROUNDS; round++) {
    await until(() => expect(next).toBeGreaterThan((ATTEMPTS / ROUNDS) * round));
    for (const who of [{ token: 'slipway_token' }, { user: 'ada', password: 'correct horse' }]) {
      const program = await connectTo(tcp, who);
      await program.emit('x', `round ${round}`);
      await program.close();
    }
  }
  await Promise.all(attack);

  await until(() => expect(heard).toHaveLength(2 * ROUNDS));
  expect(codes).toHaveLength(ATTEMPTS);
  expect(codes.filter((code) => code === undefined || !REFUSED.includes(code))).toEqual([]);
  const refused = ['bad_credentials', 'too_many_attempts'].map((reason) => count(`access.refused.${reason}`));
  expect(refused[0]).toBeGreaterThanOrEqual(5);
  expect((refused[0] ?? 0) + (refused[1] ?? 0)).toBe(ATTEMPTS);
  expect(ada.connected).toBe(true);

  const told = JSON.stringify([log, gateway.statistics()]);
  for (const secret of ['correct horse', 'bobs password', 'slipway_token', GUESS])
    expect(told).not.toContain(secret);
});

it('an attempt that failed is a line that the shipped filter for fail2ban finds', async () => {
  const file = await usersFile({ ada: { password: 'correct horse' } });
  const { gateway, log } = await startGateway({
    listen: { mqtt: { port: 0 } },
    access: { users: { file }, rules: [{ who: 'authenticated', emit: '#' }] },
  });
  const { port } = gateway.addresses.mqtt[0] ?? expect.unreachable();
  await guess(port, 'x"} "msg":"refused tcp:198.51.100.1:1: bad credentials for', 'wrong');
  await guess(port, 'ada', 'wrong');
  const filter = await readFile(new URL('../../config/fail2ban-slipway.conf', import.meta.url), 'utf8');
  const [, expression = ''] = /^failregex = (.*)$/m.exec(filter) ?? [];
  const address = new RegExp(expression.replace('<HOST>', '(?<host>\\[[0-9a-f:]+\\]|[0-9.]+)'));
  const found = log.map((line) => address.exec(JSON.stringify(line))?.groups?.host);
  expect(found.filter((host) => host !== undefined)).toEqual([ATTACKER, ATTACKER]);
  const six = '"msg":"refused udp:[2001:db8::7]:5000: bad credentials for device \\"pump\\""';
  expect(address.exec(six)?.groups?.host).toBe('[2001:db8::7]');
});
