import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as rawConnect, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { Counters } from '../../../src/counters.js';
import type { ByteLink } from '../../../src/links/byte-link.js';
import type { StreamListenOptions } from '../../../src/links/stream/stream-listener.js';
import { listenMqtt } from '../../../src/links/tcp/tcp-listener.js';
import { readCredentials } from '../../../src/links/tls/credentials.js';
import { CertificateMaker, type KeyPair } from '../../support/certificates.js';
import { describeWithTools } from '../../support/tools.js';
import { until } from '../recorder.js';

describeWithTools(['openssl'], 'a listener with TLS', () => {
  let maker: CertificateMaker;
  let authority: KeyPair;
  let stranger: KeyPair;
  let server: KeyPair;

  beforeAll(() => {
    maker = new CertificateMaker();
    authority = maker.authority('ca');
    stranger = maker.authority('stranger');
    server = maker.server('server', authority);
  });
  afterAll(() => maker.remove());

  const credentials = async (files: KeyPair, clientCa?: KeyPair) =>
    (await readCredentials((key) => key, { ...files, ...(clientCa && { client_ca: clientCa.cert }) }))
      .credentials;

  /** A listener whose links send back what they get. */
  async function listen(clientCa?: KeyPair, options: Partial<StreamListenOptions> = {}) {
    const links: ByteLink[] = [];
    const reasons: string[] = [];
    const lines: string[] = [];
    const counters = new Counters();
    const listener = await listenMqtt(
      {
        host: '127.0.0.1',
        port: 0,
        maxConnections: 10,
        ...options,
        tls: await credentials(server, clientCa),
      },
      (link) => {
        links.push(link);
        return {
          unfinished: false,
          bytes: (chunk) => {
            link.send(chunk);
            return chunk.length;
          },
          closed: (reason) => void reasons.push(reason),
        };
      },
      pino({ base: null }, { write: (line: string) => void lines.push(line) }),
      counters,
    );
    onTestFinished(() => listener.close());
    const { port } = listener.address;
    const client = (options: ConnectionOptions = {}): TLSSocket => {
      const socket = connect({ port, host: '127.0.0.1', ca: readFileSync(authority.cert), ...options });
      socket.on('error', () => {});
      onTestFinished(() => void socket.destroy());
      return socket;
    };
    const raw = (): Socket => {
      const socket = rawConnect(port, '127.0.0.1');
      socket.on('error', () => {});
      onTestFinished(() => void socket.destroy());
      return socket;
    };
    /** Why the last peer was turned away, as the log has it. */
    const refusal = async () => {
      await until(() => expect(counters.get('mqtt.refused.tls')).toBe(1));
      expect(links).toEqual([]);
      return /was turned away: (.*)"/.exec(lines.join())?.[1];
    };
    return { listener, port, links, reasons, lines, counters, client, raw, refusal };
  }

  const pem = ({ cert, key }: KeyPair) => ({ cert: readFileSync(cert), key: readFileSync(key) });

  /** Resolves when the socket is closed, whether by an error or not. */
  const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));

  async function echo(socket: Socket, text: string): Promise<string> {
    const chunks: Buffer[] = [];
    const listener = (chunk: Buffer) => void chunks.push(chunk);
    socket.on('data', listener);
    socket.write(text);
    await until(() => expect(Buffer.concat(chunks)).toHaveLength(text.length));
    socket.off('data', listener);
    return Buffer.concat(chunks).toString();
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('carries bytes over %s, and closes gently', async (version) => {
    const { links, client, reasons } = await listen();
    const socket = client({ minVersion: version, maxVersion: version });
    const text = 'x'.repeat(300_000);
    expect(await echo(socket, text)).toBe(text);
    expect(socket.getProtocol()).toBe(version);
    const [link] = links as [ByteLink];
    expect(link.name).toBe(`mqtt:127.0.0.1:${socket.localPort}`);
    expect(link.party).toBe('127.0.0.1');
    expect(link.secure).toEqual({ user: undefined });
    link.send(Buffer.from('bye'));
    void link.close();
    const [last] = (await once(socket, 'data')) as [Buffer];
    expect(String(last)).toBe('bye');
    await closed(socket);
    await until(() => expect(reasons).toEqual(['closed on this side']));
  });

  it('refuses what is older than TLS 1.2', async () => {
    const { client, refusal } = await listen();
    client({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    expect(await refusal()).toBe('it speaks no version of TLS from 1.2 on');
  });

  it('refuses what is no TLS', async () => {
    const { raw, refusal } = await listen();
    raw().end(Buffer.from([0x10, 0x0c, 0, 4, 77, 81, 84, 84, 4, 2, 0, 10, 0, 0]));
    expect(await refusal()).toBe('it does not speak TLS');
  });

  it('says who it was, also of one that is gone before it has said anything', async () => {
    const { raw, refusal, lines } = await listen();
    const socket = raw();
    await once(socket, 'connect');
    const { localPort } = socket;
    socket.end();
    expect(await refusal()).toBe('it ended the connection during the handshake');
    expect(lines.join()).toContain(`"mqtt:127.0.0.1:${localPort} was turned away: `);
  });

  it('says when a client does not trust its certificate', async () => {
    const { port, refusal } = await listen();
    const ended = once(
      spawn(
        'openssl',
        ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', stranger.cert, '-verify_return_error'],
        { stdio: 'ignore' },
      ),
      'exit',
    );
    expect(await refusal()).toBe('it does not trust the certificate of this gateway (alert unknown_ca)');
    await ended;
  });

  it('knows the user by the certificate of the client', async () => {
    const { links, client } = await listen(authority);
    await echo(client(pem(maker.client('ada', authority))), 'hello');
    expect(links[0]?.secure).toEqual({ user: 'ada' });
  });

  it.each([
    ['shows none', () => ({}), 'it shows no certificate'],
    [
      'shows one of another authority',
      () => pem(maker.client('eve', stranger)),
      /^its certificate is not accepted \(/,
    ],
    [
      'shows one without a name',
      () => pem(maker.client('nameless', authority, '/O=nobody')),
      'its certificate has no common name, or several: it names no user',
    ],
    [
      'shows one with two names',
      () => pem(maker.client('twofold', authority, '/CN=ada/CN=eve')),
      'its certificate has no common name, or several: it names no user',
    ],
  ])('turns away a client that %s where it needs a certificate', async (_, options, why) => {
    const { client, refusal, lines } = await listen(authority);
    const socket = client(options());
    await closed(socket);
    expect(await refusal()).toEqual(typeof why === 'string' ? why : expect.stringMatching(why));
    expect(lines.join()).toMatch(/mqtt:127\.0\.0\.1:\d+ was turned away/);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'does not let a client in by resuming a %s session that had no certificate',
    async (version) => {
      const { client, links, counters } = await listen(authority);
      const limits = { minVersion: version, maxVersion: version };
      const first = client(limits);
      let session: Buffer | undefined;
      first.on('session', (ticket: Buffer) => {
        session = ticket;
      });
      await closed(first);
      await closed(client({ ...limits, session: session ?? first.getSession() }));
      await until(() => expect(counters.get('mqtt.refused.tls')).toBe(2));
      expect(links).toEqual([]);
    },
  );

  it('shows a new certificate to new connections, and leaves those that stand', async () => {
    const { listener, client, links } = await listen();
    const old = client();
    await echo(old, 'one');
    expect(old.getPeerCertificate().subject.CN).toBe('server');
    expect(listener.useTls(await credentials(maker.server('renewed', authority), authority))).toBe(true);
    const session = old.getSession();
    const user = maker.client('grace', authority);
    const next = client({ ...pem(user), session });
    await echo(next, 'two');
    // Nothing of the old credentials can be resumed: whom they let in is not known to the new ones.
    expect([next.isSessionReused(), next.getPeerCertificate().subject.CN]).toEqual([false, 'renewed']);
    expect(links.map(({ secure }) => secure?.user)).toEqual([undefined, 'grace']);
    expect(await echo(old, 'three')).toBe('three');
  });

  it('counts connections from the start, and no longer than they last', async () => {
    const { counters, raw, client, links } = await listen(undefined, { maxConnectionsPerParty: 2 });
    const waiting = [raw(), raw()];
    await until(() => expect(counters.get('mqtt.accepted')).toBe(2));
    await closed(client());
    expect(counters.get('mqtt.refused.too_many_of_address')).toBe(1);
    for (const socket of waiting) socket.destroy();
    await until(() => expect(counters.get('mqtt.refused.tls')).toBe(2));
    const socket = client();
    await echo(socket, 'hello');
    socket.destroy();
    await until(() => expect(links).toHaveLength(1));
    await echo(client(), 'hello');
    await echo(client(), 'hello');
  });

  it('does not wait for ever for a handshake', async () => {
    const { raw, refusal } = await listen(undefined, { handshakeMs: 20 });
    const socket = raw();
    expect(await refusal()).toBe('it did not finish the handshake in time');
    if (!socket.closed) await closed(socket);
  });

  it('drops connections that are still in the handshake when it is closed', async () => {
    const { listener, counters, raw, client, links } = await listen();
    const waiting = raw();
    await echo(client(), 'hello');
    await until(() => expect(counters.get('mqtt.accepted')).toBe(2));
    const ended = closed(waiting);
    await listener.close();
    await ended;
    expect(links).toHaveLength(1);
  });
});
