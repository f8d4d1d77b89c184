import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BridgeReport } from '../../src/bridges/report.js';
import type { Clock } from '../../src/clock.js';
import { parseConfig } from '../../src/config/load.js';
import { checkBridges } from '../../src/doctor/bridge-check.js';
import type { Finding } from '../../src/doctor/finding.js';
import type { BridgeReports } from '../../src/doctor/gateway-check.js';
import { thisHost } from '../../src/doctor/host.js';
import { freePort } from '../support/gateways.js';
import { startMosquitto } from '../support/mosquitto.js';
import { startNats } from '../support/nats-server.js';
import { describeWithTools } from '../support/tools.js';

const NOT_RUNNING = { running: false, bridges: undefined };

/** What is found of a bridge "plant" with these settings, a line each. */
async function found(
  upstream: string,
  gateway: { running: boolean; bridges: BridgeReports } = NOT_RUNNING,
  qos = 1,
  clock = thisHost.clock,
): Promise<string[]> {
  const rules = `[{ pattern: 'a/#', direction: out, qos: ${qos} }]`;
  const text = `version: 1\ngateway: site1\nbridges: [{ name: plant, ${upstream}, rules: ${rules} }]\n`;
  const findings: Finding[] = [];
  for await (const finding of checkBridges(parseConfig(text, 'FILE', {}), gateway, { ...thisHost, clock }))
    findings.push(finding);
  expect(findings.every(({ check, about }) => check === 'bridge' && about === 'bridge:plant')).toBe(true);
  return findings.map(({ level, text: said }) => `${level}: ${said}`);
}

describe('of a gateway that runs', () => {
  const report = (more: Partial<BridgeReport>): { running: true; bridges: BridgeReports } => ({
    running: true,
    bridges: new Map([
      [
        'plant',
        {
          state: 'up',
          server: 'nats://n1:4222',
          queue: { messages: 0, bytes: 0, oldest_s: 0, in_flight: 0 },
          full: false,
          interests: 0,
          out: 1,
          in: 2,
          reconnects: 0,
          drops: {},
          ...more,
        },
      ],
    ]),
  });
  const nats = 'nats: { servers: nats://127.0.0.1:1 }';

  it('a bridge is as it says, and its broker is left alone', async () => {
    expect(await found(nats, report({}))).toEqual(['ok: connected to nats://n1:4222']);
    const queue = { messages: 12, bytes: 100, oldest_s: 61, in_flight: 3 };
    expect(await found(nats, report({ queue, drops: { offline: 3, too_old: 1 } }))).toEqual([
      'ok: connected to nats://n1:4222; 12 messages wait, the oldest for 61 s; dropped: 3 offline, 1 too_old',
    ]);
    expect(await found(nats, report({ queue: { ...queue, messages: 1 } }))).toEqual([
      'ok: connected to nats://n1:4222; 1 message waits, for 61 s',
    ]);
    expect(await found(nats, report({ state: 'down', problem: 'n1: connection refused', queue }))).toEqual([
      'problem: is not connected: n1: connection refused; 12 messages wait, the oldest for 61 s',
    ]);
  });

  it('a bridge that is full, or waits, is told', async () => {
    expect(await found(nats, report({ full: true, waits_for: 'queue_full' }))).toEqual([
      'ok: connected to nats://n1:4222',
      'problem: its queue is full: reliable messages for it are refused, or older ones dropped (queue.when_full)',
      'problem: what comes in waits, for there is no room for it here: queue_full',
    ]);
  });

  it('a message with which the connection ends is named', async () => {
    expect(await found(nats, report({ held_up: { name: 'a/b', bytes: 7, cuts: 3 } }))).toEqual([
      'ok: connected to nats://n1:4222',
      'problem: the connection ended 3 times with a message of 7 bytes on "a/b": what is behind it waits until it is known whether that is why',
    ]);
  });

  it('a bridge that it does not have is noted', async () => {
    expect(await found(nats, { running: true, bridges: new Map() })).toEqual([
      'note: the gateway that runs does not know this bridge: restart it if it should',
    ]);
    expect(await found(nats, { running: true, bridges: undefined })).toEqual([]);
  });
});

describeWithTools(['nats-server'], 'where no gateway runs, of NATS', () => {
  it('each server is tried, and nothing is made there', async () => {
    const server = await startNats({ users: [{ user: 'ada', password: 'p w' }] });
    const folder = await mkdtemp(join(tmpdir(), 'slipway-doctor-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const password = join(folder, 'password');
    await writeFile(password, 'p w\n', { mode: 0o600 });
    const login = `user: ada, password_file: ${password}`;
    expect(await found(`nats: { servers: ${server.url}, ${login} }`)).toEqual([
      `ok: ${server.url} can be reached, and lets it in`,
    ]);
    expect(await server.monitor('jsz?streams=true')).toMatchObject({ streams: 0, consumers: 0 });
    await writeFile(password, 'wrong', { mode: 0o600 });
    expect(await found(`nats: { servers: ${server.url}, ${login} }`)).toEqual([
      expect.stringMatching(/^problem: .*login refused .*: check user and password_file$/),
    ]);
    expect(await found(`nats: { servers: ${server.url}, user: ada, password_file: /none }`)).toEqual([]);
  });

  it('a server without JetStream will not do for QoS 1', async () => {
    const server = await startNats({ jetstream: false });
    expect(await found(`nats: { servers: ${server.url} }`)).toEqual([
      expect.stringMatching(
        /^problem: .* has no JetStream, which rules of QoS 1 and 2, presence and broadcast need/,
      ),
    ]);
    expect(await found(`nats: { servers: ${server.url}, last_values: false }`, NOT_RUNNING, 0)).toEqual([
      `ok: ${server.url} can be reached, and lets it in`,
    ]);
  });

  it('a server that is not there is a problem', async () => {
    const url = `nats://127.0.0.1:${await freePort()}`;
    expect(await found(`nats: { servers: ${url} }`)).toEqual([
      `problem: ${url}: connection refused: check that it runs, and host and port`,
    ]);
  });
});

describe('where no gateway runs, of MQTT', () => {
  it('what cuts a TLS handshake off does not speak TLS', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await found(`mqtt: { url: mqtts://${place} }`)).toEqual([
      `problem: mqtts://${place}: it closed the connection without an answer: check that it is the port of an MQTT broker, and one with TLS (else write mqtt://${place})`,
    ]);
  });
});

describeWithTools(['mosquitto'], 'where no gateway runs, of MQTT', () => {
  it('each broker is tried, and the session of the bridge stays as it is', async () => {
    const broker = await startMosquitto({ users: { ada: 'p w' } });
    const folder = await mkdtemp(join(tmpdir(), 'slipway-doctor-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const password = join(folder, 'password');
    await writeFile(password, 'p w', { mode: 0o600 });
    const session = { clientId: 'slipway-site1-plant', clean: false, reconnectPeriod: 0 };
    const client = await connectAsync(broker.url, { ...session, username: 'ada', password: 'p w' });
    onTestFinished(() => client.endAsync(true));
    for (const version of ['5', '3.1.1']) {
      const settings = `url: "${broker.url}", username: ada, password_file: ${password}, version: ${version}`;
      expect(await found(`mqtt: { ${settings} }`)).toEqual([
        `ok: ${broker.url} can be reached, and lets it in`,
      ]);
    }
    expect(client.connected).toBe(true);
    await writeFile(password, 'wrong', { mode: 0o600 });
    expect(await found(`mqtt: { url: "${broker.url}", username: ada, password_file: ${password} }`)).toEqual([
      expect.stringMatching(/^problem: .*refused the login of "ada": check username and password_file/),
    ]);
  });

  it('a broker that is not there is a problem, and so is something else', async () => {
    const url = `mqtt://127.0.0.1:${await freePort()}`;
    expect(await found(`mqtt: { url: "${url}" }`)).toEqual([
      expect.stringMatching(/^problem: .*connection refused/),
    ]);
    const { port } = await silentServer();
    const clock: Clock = {
      ...thisHost.clock,
      schedule: (ms, task) => thisHost.clock.schedule(ms / 50, task),
    };
    expect(await found(`mqtt: { url: "mqtt://127.0.0.1:${port}" }`, NOT_RUNNING, 1, clock)).toEqual([
      `problem: mqtt://127.0.0.1:${port}: does not let it in within 10 s: check host and port`,
    ]);
  });
});

/** A server that takes connections and says nothing. */
async function silentServer(): Promise<AddressInfo> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {})));
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server.address() as AddressInfo;
}
