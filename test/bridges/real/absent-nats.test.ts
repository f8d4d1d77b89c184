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

/** Memory of a process that holds no copy of a file, MiB. */
function memoryMiB(pid: number | undefined): number {
  const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

describeWithTools(['nats-server'], 'while the cluster is gone for long', () => {
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
