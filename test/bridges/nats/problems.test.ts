import { writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { nkeys } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { UpstreamError } from '../../../src/bridges/upstream.js';
import { CertificateMaker, type KeyPair } from '../../support/certificates.js';
import { freePort, until } from '../../support/gateways.js';
import { type NatsOptions, startNats } from '../../support/nats-server.js';
import { describeWithTools } from '../../support/tools.js';
import { program, type Settings, Side } from './upstreams.js';

describeWithTools(['nats-server', 'openssl'], 'what goes wrong with NATS is one clear line', () => {
  let certificates: CertificateMaker;
  let authority: KeyPair;
  beforeAll(() => {
    certificates = new CertificateMaker();
    authority = certificates.authority('authority');
  });
  afterAll(() => certificates.remove());

  const file = async (name: string, text: string): Promise<string> => {
    const path = join(certificates.folder, name);
    await writeFile(path, text);
    return path;
  };

  /** Connecting fails; says how. */
  async function problem(
    servers: string | readonly string[],
    settings: Settings = {},
  ): Promise<UpstreamError> {
    const side = new Side(servers, settings);
    const error: unknown = await side.connect().then(
      () => new Error('it connected'),
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ name: 'UpstreamError' });
    const { message } = error as UpstreamError;
    expect(message).not.toContain('\n');
    return error as UpstreamError;
  }

  it('where nobody answers, or there is no such host', async () => {
    const port = await freePort();
    expect(await problem(`nats://127.0.0.1:${port}`)).toMatchObject({
      code: 'unreachable',
      message: `nats://127.0.0.1:${port}: connection refused: check that it runs, and host and port`,
    });
    const missing = await problem('nats://no-such-host.invalid:4222');
    expect(missing.code).toBe('unreachable');
    expect(missing.message).toMatch(
      /^nats:\/\/no-such-host\.invalid:4222: there is no such host \(E\w+\): check the name, or use an address$/,
    );
  });

  it('where something else answers, or says nothing; no socket stays open', async () => {
    const http = await listener((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await problem(http.url)).toMatchObject({
      code: 'unreachable',
      message: `${http.url}: answers, and is no NATS server: check host and port`,
    });
    const silent = await listener(() => {});
    expect(await problem(silent.url)).toMatchObject({
      code: 'unreachable',
      message: `${silent.url}: does not answer as a NATS server does: check host and port`,
    });
    await until(() => expect(silent.sockets.size).toBe(0));
    const side = new Side(silent.url);
    const connecting = side.connect();
    await until(() => expect(silent.sockets.size).toBe(1));
    side.abort();
    await expect(connecting).rejects.toThrow();
    await until(() => expect(silent.sockets.size).toBe(0));
    const rude = await listener((socket) => socket.destroy());
    expect(await problem(rude.url)).toMatchObject({ code: 'unreachable' });
  }, 20_000);

  it('where the login is refused: none, password, token, credentials', async () => {
    const { url } = await startNats({ users: [{ user: 'ada', password: 'right' }] });
    const password_file = await file('wrong', 'wrong\n');
    expect(await problem(url)).toMatchObject({
      code: 'login_refused',
      message: expect.stringMatching(
        /^nats:.*login refused .*: it wants to know who this is: give credentials, or/,
      ),
    });
    expect(await problem(url, { config: { user: 'ada', password_file } })).toMatchObject({
      code: 'login_refused',
      message: expect.stringMatching(/check user and password_file$/),
    });
    expect(await problem(url, { config: { token_file: password_file } })).toMatchObject({
      code: 'login_refused',
      message: expect.stringMatching(/check token_file$/),
    });
    const key = nkeys.createUser();
    const seed = Buffer.from(key.getSeed()).toString();
    const jwt = ['e30', 'e30', 'AA'].join('.');
    const credentials = await file(
      'plant.creds',
      `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    );
    expect(await problem(url, { config: { credentials } })).toMatchObject({
      code: 'login_refused',
      message: expect.stringContaining(`is ${credentials} of this server's operator, and not revoked?`),
    });
    const right = await file('right', 'right\n');
    const side = await new Side(url, { config: { user: 'ada', password_file: right } }).connect();
    expect(side.connection.server).toBe(url);
  });

  it('where a file of a secret is missing, or is none', async () => {
    const { url } = await startNats();
    expect(await problem(url, { config: { token_file: '/no/such/file' } })).toMatchObject({
      code: 'login_refused',
      message: 'token_file: /no/such/file: there is no such file',
    });
    expect(await problem(url, { config: { ca: '/no/such/file' } })).toMatchObject({
      code: 'certificate',
      message: 'ca: /no/such/file: there is no such file',
    });
    const credentials = await file('odd.creds', 'no credentials');
    expect(await problem(url, { config: { credentials } })).toMatchObject({
      code: 'login_refused',
      message: expect.stringMatching(/odd\.creds: is no \.creds file, as nsc makes them/),
    });
  });

  it('where the certificate is not right', async () => {
    const { port } = await startNats({ tls: certificates.server('server', authority) });
    const servers = `tls://127.0.0.1:${port}`;
    expect(await problem(servers)).toMatchObject({
      code: 'certificate',
      message: expect.stringMatching(/name the file of who signed the certificate of the server as ca$/),
    });
    const other = certificates.authority('other');
    expect(await problem(servers, { config: { ca: other.cert } })).toMatchObject({ code: 'certificate' });
    expect(
      await problem(servers, { config: { ca: authority.cert, servername: 'elsewhere.example' } }),
    ).toMatchObject({
      code: 'certificate',
      message: expect.stringMatching(/the certificate is for another host: use its name, or set servername$/),
    });
    const side = await new Side(servers, { config: { ca: authority.cert } }).connect();
    expect(side.connection.server).toBe(servers);
    const plain = await startNats();
    expect(await problem(`tls://127.0.0.1:${plain.port}`)).toMatchObject({
      code: 'certificate',
      message: expect.stringMatching(/does not encrypt: write nats:\/\//),
    });
  });

  it('where the server wants a certificate of ours', async () => {
    const tls = { ...certificates.server('mutual', authority), clientCa: authority.cert };
    const { port } = await startNats({ tls });
    const servers = `tls://127.0.0.1:${port}`;
    const without = await problem(servers, { config: { ca: authority.cert } });
    expect(without.message).toMatch(/does it want a certificate \(cert, key\)/);
    const { cert, key } = certificates.client('client', authority);
    await new Side(servers, { config: { ca: authority.cert, cert, key } }).connect();
  });

  it('where there is no JetStream, though rules need it', async () => {
    const { url } = await startNats({ jetstream: false });
    expect(await problem(url)).toMatchObject({
      code: 'unsuitable',
      message: `${url}: has no JetStream, which rules of QoS 1 and 2, presence and broadcast need: start it with "nats-server -js", or write qos: 0 in the rules and leave out the others`,
    });
    const rules = [{ pattern: 'site/#', qos: 0 }] as const;
    const side = await new Side(url, { rules }).connect();
    expect(side.warnings).toEqual([
      expect.stringMatching(/^bridge plant: last values do not cross: .*has no JetStream/),
    ]);
    side.want(0, 'site/#');
    const sender = await new Side(url, { rules, config: { last_values: false } }).connect();
    expect(sender.warnings).toEqual([]);
    await until(() => {
      sender.send('site/a', 'one', { retain: true });
      expect(side.texts).toContain('one');
    });
    const record = sender.publish('site/a', 'two');
    await until(() => expect(sender.refusals).toMatchObject([[record, 'no_stream', expect.anything()]]));
  });

  it('where the login may not use JetStream', async () => {
    const { url } = await startNats(only({ publish: { deny: ['$JS.>'] } }));
    const password_file = await file('secret', 'secret');
    expect(await problem(url, { config: { user: 'ada', password_file } })).toMatchObject({
      code: 'unsuitable',
      message: expect.stringMatching(
        /this login may not .*allow it to publish on \$JS\.API\.> and to subscribe to _INBOX\.>$/,
      ),
    });
  });

  it('where a subject is forbidden: to publish on, at each QoS, and to hear', async () => {
    const permissions = { publish: { deny: ['site.secret.>'] }, subscribe: { deny: ['site.hidden.>'] } };
    const { url } = await startNats(only(permissions));
    const password_file = await file('secret', 'secret');
    const config = { user: 'ada', password_file };
    const side = await new Side(url, { config }).connect();
    const records = [
      side.publish('site/open', '1'),
      side.publish('site/secret/a', '2'),
      side.publish('site/secret/a', '3', { retain: true }),
      side.publish('site/open', '4'),
    ];
    await until(() => expect(side.settledRecords).toEqual([records[0], records[3]]));
    await until(() => expect(side.refusals).toHaveLength(2));
    side.send('site/secret/b', 'QoS 0');
    await until(() => expect(side.refusals).toHaveLength(3));
    expect(side.refusals).toEqual([
      [records[1], 'forbidden', expect.stringMatching(/site\.secret\.a/)],
      [records[2], 'forbidden', expect.stringMatching(/site\.secret\.a/)],
      ['site/secret/b', 'forbidden', expect.stringMatching(/the login may not publish there/)],
    ]);
    side.want(0, 'site/hidden/#', 'site/open');
    await until(() =>
      expect(side.refusedInterests).toEqual([['site/hidden/#', expect.stringMatching(/site\.hidden\.>/)]]),
    );
    expect(side.problems).toEqual([]);
  });

  it('where the stream is full: messages wait, said once, and go on when there is room', async () => {
    const { url } = await startNats();
    const manager = await jetstreamManager(await program(url));
    await manager.streams.add({ name: 'FULL', subjects: ['site', 'site.>'], max_msgs: 3, discard: 'new' });
    const side = await new Side(url).connect();
    const records = ['1', '2', '3', '4', '5'].map((text) => side.publish('site/a', text));
    await until(() => expect(side.warnings).toHaveLength(1));
    expect(side.warnings[0]).toMatch(
      /^bridge plant: messages wait, nats:.* does not take them now: maximum messages exceeded$/,
    );
    expect(side.settledRecords).toEqual(records.slice(0, 3));
    await manager.streams.purge('FULL');
    await until(() => expect(side.settledRecords).toEqual(records));
    await until(() => expect(side.log.at(-1)?.msg).toMatch(/takes messages again$/));
    expect(side.refusals).toEqual([]);
    expect(side.warnings).toHaveLength(1);
  });

  it('where the account may keep no more: messages wait for room as well', async () => {
    const users = '[{ user: ada, password: secret }]';
    const { url } = await startNats({
      settings: [`accounts { A: { jetstream: { max_store: 4096 }, users: ${users} } }`],
    });
    const manager = await jetstreamManager(await program(url, { user: 'ada', pass: 'secret' }));
    await manager.streams.add({ name: 'SITE', subjects: ['site', 'site.>'] });
    const config = {
      user: 'ada',
      password_file: await file('secret', 'secret'),
      last_values: false,
    } as const;
    const side = await new Side(url, { config }).connect();
    const records = Array.from({ length: 6 }, (_, i) => side.publish('site/a', String(i).padEnd(1000)));
    await until(() => expect(side.warnings).toHaveLength(1));
    expect(side.warnings[0]).toMatch(/does not take them now: resource limits exceeded for account$/);
    expect(side.settledRecords.length).toBeLessThan(records.length);
    await until(async () => {
      await manager.streams.purge('SITE');
      expect(side.settledRecords).toEqual(records);
    });
    expect(side.refusals).toEqual([]);
  });

  it('where a message is larger than the stream takes', async () => {
    const { url } = await startNats();
    const manager = await jetstreamManager(await program(url));
    await manager.streams.add({ name: 'SMALL', subjects: ['site', 'site.>'], max_msg_size: 300 });
    const side = await new Side(url).connect();
    const records = [side.publish('site/a', 'x'.repeat(400)), side.publish('site/a', 'fits')];
    await until(() => expect(side.settledRecords).toEqual(records.slice(1)));
    expect(side.refusals).toEqual([[records[0], 'too_large', expect.stringMatching(/message size exceeds/)]]);
  });

  it('where a stream cannot be read as a bridge does', async () => {
    const { url } = await startNats();
    const manager = await jetstreamManager(await program(url));
    await manager.streams.add({ name: 'WORK', subjects: ['site', 'site.>'], retention: 'workqueue' });
    const side = await new Side(url).hear('site/a');
    await until(() => expect(side.warnings).toHaveLength(1));
    expect(side.warnings[0]).toMatch(
      /^bridge plant: nats:.*: could not read a stream: consumer .* requires .*; it is tried again$/,
    );
    const record = side.publish('site/a', 'goes on');
    await until(() => expect(side.settledRecords).toEqual([record]));
    expect(side.warnings).toHaveLength(1);
  });

  it('where one server cannot hold as many copies as the config wants', async () => {
    const { url } = await startNats();
    expect(await problem(url, { config: { replicas: 3 } })).toMatchObject({
      message: expect.stringMatching(/could not find or make the stream slipway: .*replicas/),
    });
  });
});

const only = (permissions: object): NatsOptions => ({
  users: [{ user: 'ada', password: 'secret', permissions }],
});

/** Something on a port that is no NATS server. */
async function listener(accept: (socket: Socket) => void): Promise<{ url: string; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.resume();
    accept(socket);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `nats://127.0.0.1:${port}`, sockets };
}
