import { connect } from 'node:net';
import { generate } from 'mqtt-packet';
import { expect, it, onTestFinished } from 'vitest';
import type { Client } from '../../src/client/client.js';
import type { Clock } from '../../src/clock.js';
import { LINK_REPORTS, type LinkReport } from '../../src/gateway/link-reports.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { RawUdp } from '../support/raw-peers.js';
import { SkippingClock } from '../support/skipping-clock.js';

const INTERVAL_MS = 1000;

/** What is reported of the links that match, by link, each as it stood last; `order` is of all reports. */
async function watch(client: Client, pattern: string) {
  const last = new Map<string, LinkReport>();
  const order: string[] = [];
  await client.subscribe(pattern, ({ text, retained, channel }) => {
    const report = JSON.parse(text) as LinkReport;
    expect(channel).toBe(`${LINK_REPORTS}/${report.link}`);
    expect(retained).toBe(false);
    last.set(report.link, report);
    order.push(report.link);
  });
  return { last, order };
}

async function bench(config: object = {}) {
  const clock = new SkippingClock();
  const running = await startGateway({ stats: { interval: 0 }, ...config }, { clock });
  const watcher = await connectTo(running.tcp, { identity: 'watcher', keepAlive: 65_535 });
  return { ...running, clock, watcher };
}

/** How many intervals may be over since `start`: on a busy machine more than were skipped. */
function intervalsSince(start: number, clock: Clock): number {
  return Math.floor((clock.now() - start) / INTERVAL_MS);
}

it('are emitted once a second while somebody watches, and not otherwise', async () => {
  const { gateway, clock, watcher } = await bench();
  clock.skip(INTERVAL_MS);
  clock.skip(INTERVAL_MS);
  expect(gateway.statistics().router.channels).toBe(0);
  const start = clock.now();
  const watched = await watch(watcher, `${LINK_REPORTS}/+`);
  for (const count of [1, 2]) {
    clock.skip(INTERVAL_MS);
    await until(() => expect(watched.order.length).toBeGreaterThanOrEqual(count));
    expect(watched.order.length).toBeLessThanOrEqual(intervalsSince(start, clock));
    await watcher.emit('x', ''); // The acknowledgement of the channel's id goes with it.
  }
  const [report] = watched.last.values();
  expect(report).toMatchObject({ identity: 'watcher', pending: 0, backlog: 0, begins: 1, resets: 0 });
  expect(report?.link).toMatch(/^tcp:127\.0\.0\.1:\d+$/);
  watcher.unsubscribe(`${LINK_REPORTS}/+`);
  await watcher.emit('x', ''); // Acknowledged in its turn, so the other has arrived.
  const before = watched.order.length;
  clock.skip(INTERVAL_MS);
  await watcher.emit('x', '');
  expect(watched.order).toHaveLength(before);
});

it('tell round trip, what was sent again, and resets', async () => {
  const { udp, clock, watcher } = await bench();
  const board = await RawUdp.open(udp);
  const { nextIn: seq } = await board.introduce('board', { nonce: 1 });
  const link = `udp:127.0.0.1:${board.socket.address().port}`;
  const watched = await watch(watcher, `${LINK_REPORTS}/${link}`);
  clock.skip(INTERVAL_MS);
  await until(() => expect(watched.last.get(link)).toMatchObject({ identity: 'board', sent: 0, resent: 0 }));
  expect([...watched.last.keys()]).toEqual([link]);
  expect(watched.last.get(link)).not.toHaveProperty('round_trip_ms');

  // Nothing reliable ever went there: it is asked.
  await until(() => expect(board.all('ping').length).toBeGreaterThan(0));
  board.send({ type: 'pong', token: board.all('ping').at(-1)?.token as number });
  clock.skip(INTERVAL_MS);
  await until(() => {
    clock.skip(INTERVAL_MS);
    expect(watched.last.get(link)?.round_trip_ms).toBeGreaterThanOrEqual(0);
  });

  // A message that the board leaves unacknowledged is sent again, and then counts.
  const options = { qos: 1, noLocal: false, noLastValue: false, id: 0 } as const;
  board.send({ type: 'subscribe', seq, ...options, pattern: 'x' });
  await until(() => expect(board.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
  await watcher.emit('x', 'again');
  await until(() => {
    clock.skip(INTERVAL_MS);
    expect(watched.last.get(link)).toMatchObject({ pending: 1 });
    expect(watched.last.get(link)?.resent).toBeGreaterThan(0);
  });
  expect(watched.last.get(link)?.sent).toBeGreaterThan(watched.last.get(link)?.resent as number);

  await board.introduce('board', { nonce: 2 });
  clock.skip(INTERVAL_MS);
  await until(() => expect(watched.last.get(link)).toMatchObject({ begins: 2, resets: 1 }));
});

it('are no reason to wake a board that sleeps', async () => {
  const { udp, clock, watcher } = await bench();
  const board = await RawUdp.open(udp);
  const { nextIn: seq } = await board.introduce('board');
  board.send({ type: 'sleep', seq, seconds: 3600 });
  await until(() => expect(board.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
  const watched = await watch(watcher, `${LINK_REPORTS}/udp:127.0.0.1:${board.socket.address().port}`);
  for (let count = 1; count <= 12; count++) {
    clock.skip(INTERVAL_MS);
    await until(() => expect(watched.order.length).toBeGreaterThanOrEqual(count));
  }
  expect(board.all('ping')).toEqual([]);
});

it('tell why a port is not open', async () => {
  const serial = [{ name: 'bench', path: '/dev/none-such' }];
  const { clock, watcher } = await bench({ serial });
  const watched = await watch(watcher, `${LINK_REPORTS}/serial:bench`);
  clock.skip(INTERVAL_MS);
  await until(() =>
    expect(watched.last.get('serial:bench')).toEqual({
      link: 'serial:bench',
      port: {
        state: 'waiting',
        path: '/dev/none-such',
        problem: 'waiting for /dev/none-such: it is not plugged in',
        counters: {},
      },
    }),
  );
});

it('come in turn when there are more links than a second may have', async () => {
  const { udp, clock, watcher } = await bench({
    limits: { per_address: { links: 2000, sessions: 2000, hellos: 2000 } },
  });
  // Few at a time: a gateway that is overrun lets peers wait that have not proved their address, and these ask but once.
  for (let i = 0; i < 1005; i += 15) {
    const boards = await Promise.all(Array.from({ length: 15 }, () => RawUdp.open(udp)));
    await Promise.all(boards.map((board, n) => board.introduce(`board-${i + n}`)));
  }
  const start = clock.now();
  const watched = await watch(watcher, `${LINK_REPORTS}/+`);
  clock.skip(INTERVAL_MS);
  await until(() => expect(watched.order.length).toBeGreaterThanOrEqual(1000));
  expect(watched.order.length).toBeLessThanOrEqual(1000 * intervalsSince(start, clock));
  clock.skip(INTERVAL_MS);
  await until(() => expect(watched.order.length).toBeGreaterThanOrEqual(1006));
  expect(new Set(watched.order.slice(0, 1006)).size).toBe(1006);
});

it('tell of clients of MQTT who they are, and what waits for them', async () => {
  const { gateway, clock, watcher } = await bench({ listen: { mqtt: { port: 0 }, udp: false } });
  const { last } = await watch(watcher, `${LINK_REPORTS}/+`);
  const [{ port } = { port: 0 }] = gateway.addresses.mqtt;
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(
    generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clientId: 'phone',
      clean: true,
      keepalive: 0,
    }),
  );
  await until(() => expect(gateway.statistics().sessions.open).toBe(2));
  clock.skip(INTERVAL_MS);
  const link = `mqtt:127.0.0.1:${socket.localPort}`;
  await until(() => expect(last.get(link)).toEqual({ link, identity: 'phone', backlog: 0, pending: 0 }));
});
