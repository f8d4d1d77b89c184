import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { encode } from '../../../src/mqtt/wire/encode.js';
import { encodePublish } from '../../../src/mqtt/wire/encode-publish.js';
import type { Qos } from '../../../src/wire/messages.js';
import { CertificateMaker, type KeyPair } from '../../support/certificates.js';
import { until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { describeWithTools } from '../../support/tools.js';
import { problemOf } from './problem-of.js';
import { Listener, outgoing, queued, Rig, VERSIONS } from './rig.js';

/** More than a frame with a length of two bytes holds. Mosquitto sends 40 kB a second over WebSocket. */
const LARGE_BYTES = 70_000;

describeWithTools(['mosquitto', 'openssl'], 'a bridge to MQTT over WebSocket', () => {
  let certificates: CertificateMaker;
  let authority: KeyPair;
  let stranger: KeyPair;
  let server: KeyPair;
  beforeAll(() => {
    certificates = new CertificateMaker();
    authority = certificates.authority('ours');
    stranger = certificates.authority('theirs');
    server = certificates.server('broker', authority);
  });
  afterAll(() => certificates.remove());

  for (const version of VERSIONS)
    it(`brings messages of each QoS and size, both ways, and goes on after a break (${version})`, async () => {
      const broker = await startMosquitto({ webSocket: true });
      const other = await Listener.on(broker.url, 'out/#', version);
      const rig = await Rig.connected(broker.webSocketUrl, { version });
      rig.up.setInterests([{ pattern: 'in/#', qos: 2 }]);
      await until(async () => {
        await other.client.publishAsync('in/ready', '', { qos: 1 });
        expect(rig.messages).not.toEqual([]);
      });
      const large = 'x'.repeat(LARGE_BYTES);
      const each = [0, 1, 2].map((qos) => [qos, `short ${qos}`] as [Qos, string]).concat([[2, large]]);
      for (const [qos, text] of each) await other.client.publishAsync('in/x', text, { qos });
      const told = () =>
        rig.messages
          .filter(({ name }) => name === 'in/x')
          .map(({ qos, payload }) => [qos, Buffer.from(payload).toString()]);
      await until(() => expect(told()).toHaveLength(each.length));
      expect(told()).toEqual(expect.arrayContaining(each));

      const texts = ['', 'short', large];
      let record = 0;
      for (const text of texts) {
        rig.up.send(outgoing('out/0', text));
        for (const qos of [1, 2] as const) rig.up.publish(queued(++record, `out/${qos}`, text, { qos }));
      }
      await until(() => expect(rig.settledRecords).toHaveLength(record));
      const heard = (qos: number) =>
        other.packets.filter(({ topic }) => topic === `out/${qos}`).map(({ payload }) => payload.toString());
      await until(() => expect([0, 1, 2].map(heard)).toEqual([texts, texts, texts]));

      await broker.kill();
      await until(() => expect(rig.problems).toHaveLength(1));
      expect(rig.problems[0]?.message).toContain('it closed the connection');
      await broker.start();
      await rig.connect();
      rig.up.publish(queued(++record, 'out/2', 'after', { qos: 2 }));
      await until(() => expect(rig.settledRecords).toContain(record));
      await rig.up.close();
    });

  it('trusts whom it is told to, and nobody else', async () => {
    const broker = await startMosquitto({ webSocket: true, tls: server });
    const url = broker.webSocketUrl;
    const untrusted =
      'certificate: URL: its certificate is signed by nobody whom we trust: name who signed it (ca)';
    expect(await problemOf(url)).toBe(untrusted);
    expect(await problemOf(url, { config: { ca: stranger.cert } })).toBe(untrusted);
    expect(await problemOf(url, { config: { ca: authority.cert, servername: 'elsewhere' } })).toMatch(
      /^certificate: URL: its certificate is for another name/,
    );
    for (const version of VERSIONS) {
      const rig = await Rig.connected(url, { version, config: { ca: authority.cert } });
      rig.up.publish(queued(1, 'a', 'x', { qos: 2 }));
      await until(() => expect(rig.settledRecords).toEqual([1]));
      await rig.up.close();
    }
    const named = { ca: authority.cert, servername: 'localhost' };
    await (await Rig.connected(url, { config: named })).up.close();
  });

  it('shows its certificate to a broker that wants one', async () => {
    const tls = { ...server, clientCa: authority.cert };
    const url = (await startMosquitto({ webSocket: true, tls })).webSocketUrl;
    const mend = /^certificate: URL: it does not accept our certificate, or wants one: check cert and key$/;
    expect(await problemOf(url, { config: { ca: authority.cert } })).toMatch(mend);
    const strange = certificates.client('stranger', stranger);
    expect(await problemOf(url, { config: { ca: authority.cert, ...strange } })).toMatch(mend);
    const own = certificates.client('gateway', authority);
    const rig = await Rig.connected(url, { config: { ca: authority.cert, ...own } });
    rig.up.publish(queued(1, 'a', 'x', { qos: 2 }));
    await until(() => expect(rig.settledRecords).toEqual([1]));
  });

  it('says what is wrong with the URL', async () => {
    const plain = await startMosquitto({ webSocket: true });
    const secure = await startMosquitto({ webSocket: true, tls: server });
    const own = { config: { ca: authority.cert } };
    expect(await problemOf(secure.webSocketUrl.replace('wss:', 'ws:'))).toBe(
      "unreachable: URL: it closed the connection without an answer: check that it is the port of a broker's WebSocket, or of one that wants TLS (wss://)",
    );
    expect(await problemOf(plain.webSocketUrl.replace('ws:', 'wss:'), own)).toBe(
      `unsuitable: URL: it does not speak TLS there: write ${plain.webSocketUrl}, or another port`,
    );
    expect(await problemOf(plain.url.replace('mqtt:', 'ws:'))).toMatch(
      /^unreachable: .* check that it is the port of a broker's WebSocket/,
    );
    expect(await problemOf(plain.webSocketUrl.replace(/^ws:(.*)\/mqtt/, 'mqtt:$1'))).toMatch(
      /^unsuitable: URL: it does not speak MQTT .* or write ws:\/\/ or wss:\/\/ if it is that of a WebSocket$/,
    );
  });

  it('says what is wrong with a web server', async () => {
    const other = await webSocketServer({ handleProtocols: () => false }, () => {});
    expect(await problemOf(other)).toBe(
      'unsuitable: URL: the WebSocket there is not one of MQTT: check the path of the URL, often /mqtt',
    );
    const elsewhere = await webSocketServer({ path: '/mqtt' }, () => {});
    expect(await problemOf(`${elsewhere}/other`)).toBe(
      'unsuitable: URL: there is no WebSocket (HTTP status 400): check the path of the URL, often /mqtt',
    );
    const nats = createServer((socket) => void socket.on('error', () => {}).write('INFO {}\r\n'));
    nats.listen(0, '127.0.0.1');
    await once(nats, 'listening');
    onTestFinished(() => void nats.close());
    expect(await problemOf(`ws://127.0.0.1:${(nats.address() as AddressInfo).port}`)).toBe(
      'unsuitable: URL: it speaks no WebSocket: check host and port',
    );
  });

  it('takes packets however a broker puts them into messages', async () => {
    const connack = encode({ type: 'connack', sessionPresent: false, code: 0, properties: {} }, 5);
    const publish = (size: number) =>
      encodePublish(
        {
          type: 'publish',
          dup: false,
          qos: 0,
          retain: false,
          topic: 'in',
          id: 0,
          payload: Buffer.alloc(size),
          properties: undefined,
        },
        5,
      );
    const url = await webSocketServer({}, (socket) => {
      socket.once('message', () => {
        // More in one message than one packet may have, one packet that is too large, and one in pieces.
        const sizes = [...Array.from({ length: 30 }, () => 80_000), 200_000, 5];
        socket.send(Buffer.concat([connack, ...sizes.map(publish)]));
        const last = publish(70_000);
        for (let at = 0; at < last.length; at += 1000) socket.send(last.subarray(at, at + 1000));
      });
    });
    const rig = await Rig.connected(url, { maxPacket: 100_000 });
    await until(() => expect(rig.messages).toHaveLength(32));
    expect(rig.messages.slice(-3).map(({ payload }) => payload.length)).toEqual([80_000, 5, 70_000]);
    expect(rig.counters.get('bridges.plant.drop.too_large')).toBe(1);
    expect(rig.problems).toEqual([]);
  });
});

/** The URL of a server of WebSocket that does that with each. */
async function webSocketServer(options: ServerOptions, begin: (socket: WebSocket) => void): Promise<string> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options });
  server.on('connection', begin);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
