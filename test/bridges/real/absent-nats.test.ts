import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { until } from '../../support/gateways.js';
import { startNats } from '../../support/nats-server.js';
import { describeWithTools } from '../../support/tools.js';
import { emitAll, follow, siteWith } from './absent.js';
import { Ledger, report } from './ledger.js';
import { natsClient, readStream } from './receivers.js';

/** Messages of SIZE bytes that wait while memory is looked at first, and then. */
const [FEW, MANY] = [20_000, 120_000];
const SIZE = 1024;
/** What a queue holds that is to get full. */
const BOUND = 3000;

/** Memory of a process that holds no copy of a file, MiB. */
function memoryMiB(pid: number | undefined): number {
  const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

describeWithTools(['nats-server'], 'while the cluster is gone for long', () => {
  it('refuse: what finds no room is refused, and all else arrives when it is back, while local traffic goes on', async () => {
    const server = await startNats();
    await server.stop();
    const site = await siteWith({ nats: { servers: server.url } }, { messages: BOUND, when_full: 'refuse' });
    const program = await site.client('program');
    const stats = await follow(program);
    const ledger = new Ledger();
    await emitAll(program, ledger.sender('tcp', 1), 2 * BOUND);
    expect(ledger.verdict().accounts.get('tcp')).toMatchObject({ acknowledged: BOUND, refused: BOUND });
    await until(() =>
      expect(stats()).toMatchObject({ state: 'down', full: true, queue: { messages: BOUND } }),
    );
    expect(site.log.join('\n')).toMatch(/the queue of the bridge plant is full/);
    // Who is on a channel that no bridge carries does not notice.
    const heard: string[] = [];
    await program.subscribe('local', ({ text }) => void heard.push(text));
    await program.emit('local', 'hello', { qos: 2 });
    await until(() => expect(heard).toEqual(['hello']));

    await server.start();
    await until(() => expect(stats()).toMatchObject({ state: 'up', full: false, queue: { messages: 0 } }));
    await emitAll(program, ledger.sender('later', 1), 1);
    const connection = await natsClient(server.url);
    await until(() => expect(stats().queue.messages).toBe(0));
    await readStream(connection, 'slipway', 'site.load.>', ledger);
    expect(ledger.missing).toBe(0);
    expect(ledger.verdict({ once: true }).faults).toEqual([]);
  });

  it('drop_oldest: every emit is taken, the oldest are dropped and counted, and the rest arrives in order', async () => {
    const server = await startNats();
    await server.stop();
    const queue = { messages: BOUND, when_full: 'drop_oldest' };
    const site = await siteWith({ nats: { servers: server.url } }, queue);
    const program = await site.client('program');
    const stats = await follow(program);
    const ledger = new Ledger();
    await emitAll(program, ledger.sender('tcp', 1), 2 * BOUND);
    await until(() => expect(stats().drops).toEqual({ queue_full: BOUND }));
    expect(stats().queue.messages).toBe(BOUND);

    await server.start();
    await until(() => expect(stats()).toMatchObject({ state: 'up', queue: { messages: 0 } }));
    await readStream(await natsClient(server.url), 'slipway', 'site.load.>', ledger);
    const { accounts, faults } = ledger.verdict({ once: true });
    expect(accounts.get('tcp')).toMatchObject({ acknowledged: 2 * BOUND, arrived: BOUND });
    expect(faults).toEqual([
      `tcp, QoS 1: acknowledged, and did not arrive: 0, 1, 2, 3, 4 and ${BOUND - 5} more`,
    ]);
  });

  it('memory stays flat, and what waits drains while what is new gets through', async () => {
    const server = await startNats();
    await server.stop();
    const live = { pattern: 'live', direction: 'out', qos: 0, remote: 'site/live' };
    const upstream = { nats: { servers: server.url } };
    const site = await siteWith(upstream, { messages: 200_000 }, [live]);
    const program = await site.client('program');
    const stats = await follow(program);
    const ledger = new Ledger();
    const book = ledger.sender('tcp', 1);
    await emitAll(program, book, FEW, SIZE);
    const before = memoryMiB(site.pid);
    await emitAll(program, book, MANY, SIZE);
    const grown = memoryMiB(site.pid) - before;
    await until(() => expect(stats().queue.messages).toBe(MANY));
    console.log(
      `${((MANY - FEW) * SIZE) / 2 ** 20} MiB more wait, memory has grown by ${Math.round(grown)} MiB`,
    );
    expect(grown).toBeLessThan(((MANY - FEW) * SIZE) / 2 ** 20 / 2);

    await server.start();
    const connection = await natsClient(server.url);
    const subjects: string[] = [];
    connection.subscribe('site.>', { callback: (_error, { subject }) => void subjects.push(subject) });
    await connection.flush();
    const timer = setInterval(() => {
      void program.emit('live', 'now', { qos: 0 }).catch(() => {});
    }, 20);
    onTestFinished(() => clearInterval(timer));
    await until(() => expect(stats()).toMatchObject({ state: 'up', queue: { messages: 0 } }));
    const [firstLive, lastWaiting] = [subjects.indexOf('site.live'), subjects.lastIndexOf('site.load.tcp')];
    expect(firstLive).toBeGreaterThanOrEqual(0);
    expect(firstLive).toBeLessThan(lastWaiting);
    await readStream(connection, 'slipway', 'site.load.>', ledger);
    expect(ledger.verdict({ once: true }).faults).toEqual([]);
    console.log(report(ledger.verdict()));
  }, 120_000);
});
