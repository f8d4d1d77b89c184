import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { Gateway } from '../../src/gateway/gateway.js';
import { CertificateMaker } from '../support/certificates.js';
import { connectTo, until } from '../support/gateways.js';
import { usersText } from '../support/policies.js';
import { slipway } from '../support/programs.js';
import { describeWithTools } from '../support/tools.js';

const EXAMPLE = new URL('../../config/secure.example.yaml', import.meta.url);
const KEY = Buffer.alloc(32, 3);

describeWithTools(['openssl'], 'secure.example.yaml', () => {
  let maker: CertificateMaker;
  let folder: string;
  let ca: Buffer;
  let text: string;

  beforeAll(async () => {
    maker = new CertificateMaker();
    folder = await mkdtemp(join(tmpdir(), 'slipway-secure-'));
    const authority = maker.authority('ca');
    const { cert, key } = maker.server('gateway', authority);
    ca = await readFile(authority.cert);
    await copyFile(cert, join(folder, 'gateway.pem'));
    await copyFile(key, join(folder, 'gateway.key'));
    const users = usersText(
      {
        ada: { password: 'correct horse', tokens: { dashboard: 'slipway_dash' } },
        bob: { password: 'bobs own' },
      },
      { 'greenhouse-1': KEY },
    );
    await writeFile(join(folder, 'users.yaml'), users, { mode: 0o600 });
    text = await readFile(EXAMPLE, 'utf8');
  });
  afterAll(async () => {
    maker.remove();
    await rm(folder, { recursive: true });
  });

  it('is what slipway check takes', async () => {
    const file = join(folder, 'slipway.yaml');
    await writeFile(file, text);
    const check = slipway(['check', '-c', file]);
    expect(await check.ended).toEqual({ code: 0, signal: null });
    expect(check.stdout).toBe(`ok: ${file}\n`);
  });

  it('does what it says', async () => {
    const file = join(folder, 'test.yaml');
    // All that a test can be is on this machine: here that counts for nothing.
    const there = text.replaceAll('0.0.0.0', '127.0.0.1').replace('[serial, loopback]', 'serial');
    await writeFile(file, there.replaceAll(/port: \d+/g, 'port: 0'));
    const gateway = await Gateway.start({ config: await loadConfig(file, {}) });
    onTestFinished(() => gateway.stop());
    const [plain, secure] = gateway.addresses.tcp;
    const mqtt = gateway.addresses.mqtt[1];
    if (!plain || !secure || !mqtt) return expect.unreachable();

    const ada = await connectTo(secure, { user: 'ada', password: 'correct horse', tls: { ca } });
    const board = await connectTo(plain, { identity: 'greenhouse-1', key: KEY });
    const bob = await connectAsync(`mqtts://127.0.0.1:${mqtt.port}`, {
      ca,
      username: 'bob',
      password: 'bobs own',
      reconnectPeriod: 0,
    });
    onTestFinished(() => bob.endAsync(true));
    const heard: string[] = [];
    bob.on('message', (topic, payload) => void heard.push(`${topic} ${payload.toString()}`));
    await bob.subscribeAsync('#');
    await board.subscribe('#', ({ channel, text }) => void heard.push(`board: ${channel} ${text}`));

    await board.emit('greenhouse/greenhouse-1/temperature', '21');
    await ada.emit('greenhouse/greenhouse-1/set/target', '22');
    for (const [client, channel] of [
      [board, 'greenhouse/greenhouse-2/temperature'],
      [ada, 'greenhouse/greenhouse-1/temperature'],
      [ada, 'public/news'],
    ] as const)
      await expect(client.emit(channel, 'x')).rejects.toMatchObject({ code: 'not_allowed' });
    await until(() =>
      expect(heard.toSorted()).toEqual([
        'board: greenhouse/greenhouse-1/set/target 22',
        'board: greenhouse/greenhouse-1/temperature 21',
        'greenhouse/greenhouse-1/set/target 22',
        'greenhouse/greenhouse-1/temperature 21',
      ]),
    );
    const anyone = await connectTo(plain);
    await expect(anyone.subscribe('greenhouse/#', () => undefined)).rejects.toMatchObject({
      code: 'not_allowed',
    });
    await anyone.subscribe('public/#', () => undefined);
    await expect(connectTo(plain, { identity: 'greenhouse-1' })).rejects.toMatchObject({
      code: 'bad_credentials',
    });
    const dashboard = await connectTo(secure, { token: 'slipway_dash', tls: { ca } });
    await dashboard.broadcast('lunch');
  });
});
