import { once } from 'node:events';
import { type AddressInfo, createServer, connect as rawConnect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect } from '../../src/client/client.js';
import { connectTo, freePort, startGateway, until } from '../support/gateways.js';

/** A TCP server that does with its connections what the test says. */
async function serve(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {}); // The client may go first.
    onTestFinished(() => void socket.destroy());
    onConnection(socket);
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A port that is listened on by someone who accepts nothing, until the system takes no more connections for it. */
async function blackHole(): Promise<number> {
  const worker = new Worker(
    `const { workerData, parentPort } = require('node:worker_threads');
     const server = require('node:net').createServer();
     server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       setImmediate(() => Atomics.wait(new Int32Array(workerData), 0, 0));
     });`,
    { eval: true, workerData: new SharedArrayBuffer(4) },
  );
  onTestFinished(async () => void (await worker.terminate()));
  const [port] = (await once(worker, 'message')) as [number];
  const sockets = Array.from({ length: 8 }, () => rawConnect({ host: '127.0.0.1', port }));
  for (const socket of sockets) {
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
  }
  // The system answers those that it has room for; the last ones stay without.
  await until(() => expect(sockets.filter(({ connecting }) => !connecting).length).toBeGreaterThan(1));
  return port;
}

describe('connect', () => {
  it('says that there is no gateway, and how to start one', async () => {
    const port = await freePort();
    await expect(connect({ port })).rejects.toMatchObject({
      name: 'SlipwayError',
      code: 'connect_failed',
      message: `no gateway at 127.0.0.1:${port}: connection refused: start one with \`slipway run\`, or check host and port`,
    });
  });

  it('gives up a name that does not exist', async () => {
    await expect(connect({ host: 'no-such-host.invalid', port: 1 })).rejects.toMatchObject({
      code: 'connect_failed',
      message: expect.stringContaining('no-such-host.invalid'),
    });
  });

  it('says that a server which is no gateway does not answer, and whether it hung up', async () => {
    const LEFT = ' (the other side closed the connection)';
    const WANTS_TLS = ' Or does that port want TLS (tls, or --tls and --ca FILE)?';
    const servers: [does: (socket: Socket) => void, why: string][] = [
      [(socket) => socket.resume(), ''],
      [(socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')), LEFT],
      [(socket) => socket.destroy(), LEFT],
      [(socket) => socket.pipe(socket), ''],
      [(socket) => socket.write(Uint8Array.of(2, 0xff, 0xff, 1, 0x80)), ''],
    ];
    // All at once, for each takes its time.
    const outcomes = servers.map(async ([does, why]) => {
      const port = await serve(does);
      await expect(connect({ port, timeoutMs: 2000 })).rejects.toMatchObject({
        code: 'connect_failed',
        message: `127.0.0.1:${port} took the connection but did not answer within 2000 ms${why}: is it a Slipway gateway?${why && WANTS_TLS}`,
      });
    });
    await Promise.all(outcomes);
  });

  it('does not claim that there was a connection when there was none', async () => {
    const port = await blackHole();
    await expect(connect({ port, timeoutMs: 300 })).rejects.toMatchObject({
      code: 'connect_failed',
      message: `no gateway at 127.0.0.1:${port}: no answer within 300 ms: is the address right?`,
    });
  });

  it('leaves no connection behind when it fails', async () => {
    let open = 0;
    const port = await serve((socket) => {
      open++;
      socket.resume().on('close', () => open--);
    });
    await expect(connect({ port, timeoutMs: 100 })).rejects.toMatchObject({ code: 'connect_failed' });
    await until(() => expect(open).toBe(0));
  });

  it.each(['', 'a b', '$x', 'a/b', 'x'.repeat(65)])(
    'refuses the identity "%s" by itself',
    async (identity) => {
      await expect(connect({ identity })).rejects.toMatchObject({ code: 'identity_invalid' });
    },
  );

  it.each([
    { keepAlive: 65_536 },
    { keepAlive: 0.5 },
    { expiry: 2 ** 28 },
    { port: 0 },
    { timeoutMs: NaN },
    { maxQueue: 0 },
  ])('refuses %j by itself', async (options) => {
    const [name] = Object.keys(options);
    await expect(connect(options)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(`^${name} is .*: it must be a whole number from`),
    });
  });

  it.each([
    ['connect has no option hots (did you mean "host"?): it takes host, port, identity,', { hots: '::1' }],
    ['connect has no option keep_alive (did you mean "keepAlive"?)', { keep_alive: 5 }],
    ['connect has no option retries: it takes host', { retries: 3 }],
    ['connect got gateway.local: its options must be an object', 'gateway.local'],
    ['connect got null: its options must be an object', null],
    ['will.chanel is not known (did you mean "channel"?)', { will: { chanel: 'a', payload: '' } }],
  ])('says "%s", rather than connect to somewhere else', async (message, options) => {
    const error = { code: 'invalid_option', message: expect.stringContaining(message) };
    await expect(connect(options as never)).rejects.toMatchObject(error);
  });

  it.each([
    ['will is a: it must be an object', 'a'],
    ['will is null: it must be an object', null],
    ['will.topic is not known: a will has channel, payload, qos, retain', { topic: 'a', payload: 'x' }],
    ['will.channel is undefined: it must be text', { payload: 'x' }],
    ['will.payload is undefined: it must be text or a Uint8Array', { channel: 'a' }],
  ])('says "%s", to programs without types', async (message, will) => {
    const error = { code: 'invalid_option', message: expect.stringContaining(message) };
    await expect(connect({ will: will as never })).rejects.toMatchObject(error);
    const { tcp } = await startGateway();
    const client = await connectTo(tcp);
    await expect(client.setWill(will as never)).rejects.toMatchObject(error);
  });

  it('takes numbers at the ends of their ranges', async () => {
    const { tcp } = await startGateway();
    const client = await connectTo(tcp, {
      keepAlive: 65_535,
      expiry: 2 ** 28 - 1,
      maxQueue: Number.MAX_SAFE_INTEGER,
    });
    await client.emit('x', 'y');
  });

  it('is refused an identity that another program has', async () => {
    const { tcp, log, count } = await startGateway();
    const first = await connectTo(tcp, { identity: 'twin' });
    await expect(connect({ ...tcp, identity: 'twin' })).rejects.toMatchObject({
      code: 'identity_in_use',
      message:
        '"twin" was refused: another program is connected under this identity: give one of them another',
    });
    expect(first.connected).toBe(true);
    expect(count('session.identity_collisions')).toBe(1);
    expect(log.map(({ msg }) => msg).join('\n')).toContain('two peers call themselves "twin"');
  });

  it('is refused when the gateway has all the sessions that it takes', async () => {
    const { tcp } = await startGateway({ limits: { sessions: 1 } });
    await connectTo(tcp);
    await expect(connect(tcp)).rejects.toMatchObject({ code: 'limit_reached' });
  });

  it('is turned away with a clear error when too many are connected', async () => {
    const { tcp, count } = await startGateway({ listen: { tcp: { port: 0, max_connections: 1 } } });
    await connectTo(tcp);
    await expect(connect({ ...tcp, timeoutMs: 300 })).rejects.toMatchObject({ code: 'connect_failed' });
    expect(count('tcp.refused.too_many')).toBeGreaterThan(0);
  });
});
