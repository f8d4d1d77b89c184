import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { encode } from '../../../src/mqtt/wire/encode.js';
import { PacketParser } from '../../../src/mqtt/wire/packet-parser.js';
import { REASON } from '../../../src/mqtt/wire/reason-codes.js';
import { CertificateMaker, type KeyPair } from '../../support/certificates.js';
import { freePort, until } from '../../support/gateways.js';
import { startMosquitto } from '../../support/mosquitto.js';
import { describeWithTools } from '../../support/tools.js';
import { problemOf } from './problem-of.js';
import { outgoing, queued, Rig, VERSIONS } from './rig.js';

/** A server that answers every connection with `words`, or what it hears with what they make of it, or closes at once. */
async function serverThat(words: string | Buffer | ((chunk: Buffer) => Buffer) | undefined): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    if (words === undefined) socket.end();
    else if (typeof words === 'function') socket.on('data', (chunk) => socket.write(words(chunk)));
    else socket.write(words);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function fileWith(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'password');
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

describeWithTools(['mosquitto', 'openssl'], 'what keeps a bridge to MQTT from working', () => {
  let certificates: CertificateMaker;
  let authority: KeyPair;
  let server: KeyPair;
  beforeAll(() => {
    certificates = new CertificateMaker();
    authority = certificates.authority('ours');
    server = certificates.server('broker', authority);
  });
  afterAll(() => certificates.remove());

  it('nobody listens there', async () => {
    expect(await problemOf(`mqtt://127.0.0.1:${await freePort()}`)).toBe(
      'unreachable: URL: connection refused: check that the broker runs, and host and port',
    );
  });

  it('it is not a broker of MQTT', async () => {
    expect(await problemOf(await serverThat('INFO {"server_id":"x"}\r\n'))).toBe(
      'unsuitable: URL: it does not speak MQTT (it begins with "INFO {\\"server_id\\":\\"x\\"}"): check host and port',
    );
    expect(await problemOf(await serverThat(undefined))).toMatch(
      /^unreachable: URL: it closed the connection without an answer: check that it is the port of an MQTT broker/,
    );
    expect(
      await problemOf((await serverThat('HTTP/1.1 400 Bad Request\r\n\r\n')).replace('mqtt', 'ws')),
    ).toBe(
      'unsuitable: URL: there is no WebSocket (HTTP status 400): check the path of the URL, often /mqtt',
    );
    expect(await problemOf((await startMosquitto()).url.replace('mqtt:', 'mqtts:'))).toMatch(
      /^un(suitable|reachable): /,
    );
  });

  it('it refuses the version', async () => {
    const refusing = await serverThat(Buffer.of(0x20, 2, 0, 1));
    expect(await problemOf(refusing, { version: '3.1.1' })).toBe(
      'unsuitable: URL: it takes no bridges in MQTT 3.1.1: write "version: 5"',
    );
    expect(await problemOf(refusing)).toBe(
      'unsuitable: URL: it does not speak MQTT 5: write "version: 3.1.1"',
    );
  });

  it('it refuses the login', async () => {
    const { url } = await startMosquitto({ users: { ada: 'right' } });
    const config = { username: 'ada', password_file: await fileWith('wrong\n') };
    for (const version of [5, '3.1.1'] as const) {
      expect(await problemOf(url, { version, config })).toBe(
        'login_refused: URL: it refused the login of "ada": check username and password_file',
      );
      expect(await problemOf(url, { version })).toBe(
        'login_refused: URL: it wants a login: write username and password_file',
      );
    }
    await Rig.connected(url, { config: { username: 'ada', password_file: await fileWith('right\n') } });
  });

  it('its certificate is not to be trusted', async () => {
    const { url } = await startMosquitto({ tls: server });
    expect(await problemOf(url)).toBe(
      'certificate: URL: its certificate is signed by nobody whom we trust: name who signed it (ca)',
    );
    const wrongName = { ca: authority.cert, servername: 'elsewhere' };
    expect(await problemOf(url, { config: wrongName })).toMatch(
      /^certificate: URL: its certificate is for another name/,
    );
    await Rig.connected(url, { config: { ca: authority.cert } });
  });

  it('it wants a certificate', async () => {
    const { url } = await startMosquitto({ tls: { ...server, clientCa: authority.cert } });
    expect(await problemOf(url, { config: { ca: authority.cert } })).toMatch(
      /^(certificate|unreachable): URL: it /,
    );
    const own = certificates.client('gateway', authority);
    await Rig.connected(url, { config: { ca: authority.cert, ...own } });
  });

  it('another gateway has its name', async () => {
    const { url } = await startMosquitto();
    for (const version of VERSIONS) {
      const rig = await Rig.connected(url, { version });
      await Rig.connected(url, { version });
      await until(() => expect(rig.problems).toHaveLength(1));
      // mosquitto just closes the connection.
      expect(rig.problems[0]?.message).toContain('another client has the client_id slipway-here-plant too');
    }
    const saying = await serverThat(
      Buffer.concat([
        encode({ type: 'connack', sessionPresent: false, code: 0, properties: {} }, 5),
        encode({ type: 'disconnect', code: REASON.sessionTakenOver, properties: { reasonString: 'bye' } }, 5),
      ]),
    );
    const rig = await Rig.connected(saying);
    await until(() => expect(rig.problems.map(({ code }) => code)).toEqual(['taken_over']));
    expect(rig.problems[0]?.message).toContain(
      'another client connected as slipway-here-plant: give each gateway a name, or each bridge a client_id, of its own; it says "bye"',
    );
  });

  it('it forbids names', async () => {
    const users = { ada: 'right' };
    const { url } = await startMosquitto({
      users,
      acl: ['user ada', 'topic readwrite free/#'],
      // Where none may wait, it ends the connection of who may not publish.
      settings: ['max_queued_messages 1000'],
    });
    const config = { username: 'ada', password_file: await fileWith('right') };
    const rig = await Rig.connected(url, { config });
    rig.up.publish(queued(1, 'closed/1', 'x'));
    rig.up.publish(queued(2, 'closed/2', 'x', { qos: 2 }));
    rig.up.publish(queued(3, 'free/3', 'x', { qos: 2 }));
    await until(() =>
      expect([rig.settledRecords, rig.refusals, rig.problems]).toEqual([[3], expect.anything(), []]),
    );
    expect(rig.refusals).toEqual([
      '1 forbidden the broker does not let ada publish on closed/1: allow it there, or change the rule',
      '2 forbidden the broker does not let ada publish on closed/2: allow it there, or change the rule',
    ]);
    expect(rig.connection).toBeDefined();
  });

  it('it refuses a subscription', async () => {
    const parser = new PacketParser({ maxConnect: 1000, maxPacket: 1000 });
    const refusing = await serverThat((chunk) => {
      parser.push(chunk);
      const answers: Buffer[] = [];
      for (let packet = parser.next(); packet; packet = parser.next()) {
        if (packet.type === 'connect')
          answers.push(encode({ type: 'connack', sessionPresent: false, code: 0, properties: {} }, 5));
        if (packet.type === 'subscribe') {
          const codes = packet.subscriptions.map(({ filter }) =>
            filter === 'secret/#' ? REASON.notAuthorized : 1,
          );
          answers.push(encode({ type: 'suback', id: packet.id, codes, properties: {} }, 5));
        }
      }
      return Buffer.concat(answers);
    });
    const rig = await Rig.connected(refusing);
    rig.up.setInterests(['a', 'secret/#', '7'].map((pattern) => ({ pattern, qos: 1 })));
    const why =
      'the broker does not let slipway-here-plant subscribe to secret/# (not authorized): allow it there, or change the rule';
    await until(() => expect(rig.refusals).toEqual([`secret/# ${why}`]));
    expect(rig.problems).toEqual([]);
  });

  it('a message is too large, or has no name in MQTT', async () => {
    const { url } = await startMosquitto({ settings: ['max_packet_size 1000'] });
    const rig = await Rig.connected(url);
    rig.up.publish(queued(1, 'a', 'x'.repeat(2000)));
    rig.up.publish(queued(2, 'a\0b', 'x'));
    rig.up.publish(queued(3, 'a', 'x'));
    expect(rig.up.send(outgoing('a', 'x'.repeat(2000)))).toBe(true);
    await until(() => expect(rig.settledRecords).toEqual([3]));
    expect(rig.refusals.map((each) => each.split(' ').slice(0, 2).join(' '))).toEqual([
      '1 too_large',
      '2 bad_name',
      'a too_large',
    ]);
  });

  it('connecting is given up', async () => {
    const silent = await serverThat('');
    const rig = new Rig(silent);
    const abort = new AbortController();
    const connecting = rig.upstream.connect(rig, abort.signal);
    setTimeout(() => abort.abort(), 20);
    await expect(connecting).rejects.toThrow('given up');
    await expect(rig.upstream.connect(rig, abort.signal)).rejects.toThrow('given up');
  });
});
