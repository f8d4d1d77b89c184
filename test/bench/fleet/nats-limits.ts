// What a nats-server pays for what a fleet of gateways asks of it: figures for `fleet-scale`, on this machine. A minute.
//
//   npm run --silent bench:nats-limits [-- --json FILE]
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  AckPolicy,
  DeliverPolicy,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type NatsServer, startNats, startNatsCluster } from '../servers/nats.js';

const MESSAGES = 100_000;
const SUBSCRIPTIONS = 200_000;
const CONNECTIONS = 1000;
const ROUNDS = 50;
/** Until a message has been read before the next comes on that connection, ms. */
const PAUSE_MS = 20;
const IN_FLIGHT = 1000;
const PAYLOAD = Buffer.alloc(16);
/** Until the garbage collector of the server has given back what it can, ms. */
const SETTLE_MS = 1500;
/** Until a cluster has a leader, ms. */
const PATIENCE_MS = 30_000;
const MICROSECONDS = 1e6;

const figures: Record<string, number> = {};
function report(name: string, value: number): void {
  figures[name] = value;
  console.log(`${name.padEnd(64)} ${Number(value.toPrecision(3)).toLocaleString('en')}`);
}

const cpuOf = (servers: readonly NatsServer[]): number =>
  servers.reduce((sum, server) => sum + server.cpu(), 0);

const open = ({ port }: NatsServer): Promise<NatsConnection> =>
  connect({ servers: `127.0.0.1:${port}`, noAsyncTraces: true, timeout: PATIENCE_MS });

interface Publishing {
  readonly count: number;
  readonly subject: (n: number) => string;
  readonly withId?: boolean;
}

/** Publishes to a stream with a window of unacknowledged messages. */
async function publish(
  connection: NatsConnection,
  { count, subject, withId = false }: Publishing,
): Promise<void> {
  const client = jetstream(connection, { timeout: PATIENCE_MS });
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) {
      const n = next++;
      await client.publish(subject(n), PAYLOAD, withId ? { msgID: `0123456789abcdef-${n}` } : {});
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
}

/** What a message costs all these servers together, µs on a core. */
async function cost(servers: readonly NatsServer[], publishing: Publishing): Promise<number> {
  const connection = await open(servers[0] as NatsServer);
  await publish(connection, { ...publishing, count: 5000 });
  const before = cpuOf(servers);
  await publish(connection, publishing);
  const used = cpuOf(servers) - before;
  await connection.close();
  return (used / publishing.count) * MICROSECONDS;
}

async function withServer(jetStream: boolean, task: (server: NatsServer) => Promise<void>): Promise<void> {
  const server = await startNats({ jetStream });
  try {
    await task(server);
  } finally {
    await server.stop();
  }
}

/** Runs `task` with a stream of its own. */
async function withStream(
  settings: { subjects: string[]; num_replicas?: number },
  servers: readonly NatsServer[],
  task: (manager: JetStreamManager, connection: NatsConnection) => Promise<void>,
): Promise<void> {
  const connection = await open(servers[0] as NatsServer);
  const manager = await jetstreamManager(connection, { timeout: PATIENCE_MS, checkAPI: false });
  await manager.streams.add({ name: 'bench', max_age: 0, ...settings });
  await task(manager, connection);
  await connection.close();
}

async function grown(server: NatsServer, count: number, task: () => Promise<void>): Promise<number> {
  await sleep(SETTLE_MS);
  const before = server.rss();
  await task();
  await sleep(SETTLE_MS);
  return (server.rss() - before) / count;
}

const interest = async (): Promise<void> => {
  const servers = await startNatsCluster();
  const [near, far] = servers as [NatsServer, NatsServer, NatsServer];
  const socket = connectSocket({ host: '127.0.0.1', port: near.port, noDelay: true });
  socket.write('CONNECT {"verbose":false,"pedantic":false}\r\n');
  await answered(socket);
  const lines = Array.from(
    { length: SUBSCRIPTIONS },
    (_, n) => `SUB fleet.site${n % 1000}.device${n} ${n + 1}\r\n`,
  );
  await sleep(SETTLE_MS);
  const before = { near: near.rss(), far: far.rss(), nearCpu: near.cpu(), farCpu: far.cpu() };
  const started = performance.now();
  socket.write(lines.join(''));
  await answered(socket);
  report(
    'interests a second, to one server of a cluster of three',
    SUBSCRIPTIONS / ((performance.now() - started) / 1000),
  );
  await sleep(SETTLE_MS);
  report('B an interest, on the server that was asked', (near.rss() - before.near) / SUBSCRIPTIONS);
  report('B an interest, on each other server of its cluster', (far.rss() - before.far) / SUBSCRIPTIONS);
  report(
    'µs on a core an interest, on the server that was asked',
    ((near.cpu() - before.nearCpu) / SUBSCRIPTIONS) * MICROSECONDS,
  );
  report(
    'µs on a core an interest, on each other server',
    ((far.cpu() - before.farCpu) / SUBSCRIPTIONS) * MICROSECONDS,
  );
  socket.destroy();
  await Promise.all(servers.map((server) => server.stop()));
};

/** As many connections as gateways, each of which says a little now and then. */
const connections = (): Promise<void> =>
  withServer(false, async (server) => {
    const sockets: Socket[] = [];
    const bytes = await grown(server, CONNECTIONS, async () => {
      for (let n = 0; n < CONNECTIONS; n++) {
        const socket = connectSocket({ host: '127.0.0.1', port: server.port, noDelay: true });
        socket.write('CONNECT {"verbose":false,"pedantic":false}\r\nSUB all 1\r\n');
        await answered(socket);
        sockets.push(socket);
      }
    });
    report('B a connection', bytes);

    const message = 'PUB one 16\r\n0123456789abcdef\r\n';
    const alone = await spent(server, async () => {
      for (let round = 0; round < ROUNDS; round++) {
        for (const socket of sockets) socket.write(message);
        await sleep(PAUSE_MS);
      }
      await Promise.all(sockets.map(answered));
    });
    report('µs on a core a message that comes alone, one of many connections', alone / ROUNDS / CONNECTIONS);

    let heard = 0;
    for (const socket of sockets)
      socket.on('data', (chunk) => {
        heard += chunk.length;
      });
    const delivery = 'MSG all 1 16\r\n0123456789abcdef\r\n'.length;
    const [speaker] = sockets as [Socket];
    const toAll = await spent(server, async () => {
      for (let n = 1; n <= ROUNDS; n++) {
        speaker.write(message.replace('one', 'all'));
        while (heard < n * CONNECTIONS * delivery) await sleep(1);
      }
    });
    report('µs on a core a delivery of what goes to all connections', toAll / ROUNDS / CONNECTIONS);
    for (const socket of sockets) socket.destroy();
  });

/** All that was written to it so far has been looked at. */
async function answered(socket: Socket): Promise<void> {
  socket.write('PING\r\n');
  for (let heard = ''; !heard.includes('PONG'); ) heard += String((await once(socket, 'data'))[0]);
}

/** Its time on a core meanwhile, µs. */
async function spent(server: NatsServer, task: () => Promise<void>): Promise<number> {
  const before = server.cpu();
  await task();
  return (server.cpu() - before) * MICROSECONDS;
}

const streams = async (): Promise<void> => {
  await withServer(true, async (server) => {
    await withStream({ subjects: ['a.>'] }, [server], async () => {
      report(
        'µs on a core a stored message, one replica',
        await cost([server], { count: MESSAGES, subject: () => 'a.b' }),
      );
      report('B a message id in the duplicate window', await idBytes(server));
    });
  });
  await withServer(true, async (server) => {
    await withStream({ subjects: ['a.>'] }, [server], async (_, connection) => {
      const bytes = await grown(server, MESSAGES, () =>
        publish(connection, { count: MESSAGES, subject: (n) => `a.site${n % 100}.device${n}` }),
      );
      report('B a subject in a stream, its only message in the file', bytes);
    });
  });
  const cluster = await startNatsCluster();
  await sleep(SETTLE_MS);
  await withStream({ subjects: ['a.>'], num_replicas: 3 }, cluster, async () => {
    report(
      'µs on a core a stored message, three replicas, all servers',
      await cost(cluster, { count: MESSAGES, subject: () => 'a.b' }),
    );
  });
  await Promise.all(cluster.map((server) => server.stop()));
};

async function idBytes(server: NatsServer): Promise<number> {
  const connection = await open(server);
  const bytes = await grown(server, 2 * MESSAGES, () =>
    publish(connection, { count: 2 * MESSAGES, subject: () => 'a.b', withId: true }),
  );
  await connection.close();
  return bytes;
}

/** Consumers as gateways have them: in memory, nothing acknowledged, each of other subjects than those of the messages. */
const consumers = (): Promise<void> =>
  withServer(true, async (server) => {
    await withStream({ subjects: ['a.>'] }, [server], async (manager, connection) => {
      let made = 0;
      for (const wanted of [0, 1000, 2000]) {
        const more = wanted - made;
        const started = performance.now();
        const bytes = await grown(server, Math.max(more, 1), async () => {
          for (; made < wanted; made++) {
            const inbox = `in.${made}`;
            connection.subscribe(inbox);
            await manager.consumers.add('bench', {
              deliver_subject: inbox,
              filter_subject: `a.site${made}.>`,
              ack_policy: AckPolicy.None,
              deliver_policy: DeliverPolicy.New,
              mem_storage: true,
              num_replicas: 1,
              inactive_threshold: 300e9,
            });
          }
        });
        if (more > 0) {
          report(
            `consumers a second, up to ${wanted}, one after the other`,
            more / ((performance.now() - started - 2 * SETTLE_MS) / 1000),
          );
          report(`B a consumer, up to ${wanted}`, bytes);
        }
        report(
          `µs on a core a stored message beside ${wanted} consumers of others`,
          await cost([server], { count: MESSAGES / 2, subject: () => 'a.other' }),
        );
      }
    });
  });

const { values: options } = parseArgs({ options: { json: { type: 'string' } } });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
await connections();
await interest();
await streams();
await consumers();
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`);
process.exit();
