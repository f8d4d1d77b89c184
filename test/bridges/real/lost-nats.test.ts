import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { until } from '../../support/gateways.js';
import { type NatsServer, startNats } from '../../support/nats-server.js';
import { Relay } from '../../support/relay.js';
import { describeWithTools } from '../../support/tools.js';
import { emitAll, follow, siteWith } from './absent.js';
import { Ledger } from './ledger.js';
import { natsClient, patiently, readStream } from './receivers.js';
import { Site } from './site.js';

const MESSAGES = 500;
/** For how long the server knows a message that comes again: the shortest that a config can ask for, ms. */
const WINDOW_MS = 1000;

const nats = ({ url }: NatsServer, more: object = {}) => ({ nats: { servers: url, ...more } });

/** How many messages are in the stream. */
async function countIn(server: NatsServer): Promise<number> {
  const connection = await natsClient(server.url);
  const manager = await patiently(() => jetstreamManager(connection));
  const { state } = await manager.streams.info('slipway');
  return state.messages;
}

describeWithTools(['nats-server'], 'what is lost', () => {
  it('without a store: what waits, when the gateway is killed', async () => {
    const server = await startNats();
    await server.stop();
    const site = await siteWith(nats(server), {}, [], { store: false });
    const program = await site.client('program');
    const ledger = new Ledger();
    await emitAll(program, ledger.sender('before', 1), MESSAGES);
    await site.kill();
    await server.start();
    await site.start();
    await emitAll(program, ledger.sender('after', 1), MESSAGES);
    const stats = await follow(program);
    await until(() => expect(stats()).toMatchObject({ state: 'up', queue: { messages: 0 } }));
    await readStream(await natsClient(server.url), 'slipway', 'site.load.>', ledger);
    const { accounts } = ledger.verdict();
    expect(accounts.get('before')).toMatchObject({ acknowledged: MESSAGES, arrived: 0 });
    expect(accounts.get('after')).toMatchObject({ acknowledged: MESSAGES, arrived: MESSAGES });
  });

  it('without a store: what came in and waits for who is away, when the gateway is killed', async () => {
    const server = await startNats();
    const near = await siteWith(nats(server), {});
    const rule = { pattern: 'load/#', direction: 'in', qos: 1, remote: 'site/load/#' };
    const bridges = [{ name: 'plant', ...nats(server), rules: [rule] }];
    const far = await Site.start('far', { bridges, store: false, more: { stats: { interval: '1s' } } });
    const program = await near.client('program');
    const ledger = new Ledger();
    const first = ledger.sender('first', 1);
    const hears = async (what: string) => {
      const hearer = await far.client('hearer');
      await hearer.subscribe('load/#', ({ text }) => ledger.arrived(text), { qos: 1 });
      const before = ledger.arrivals;
      await until(async () => {
        await program.emit(`load/${what}`, first.next().text);
        expect(ledger.arrivals).toBeGreaterThan(before);
      });
      return hearer;
    };
    const hearer = await hears('before');
    await hearer.close();
    const stats = await follow(await far.client('watcher'));
    await emitAll(program, ledger.sender('held', 1), MESSAGES);
    await until(() => expect(stats().in).toBeGreaterThan(MESSAGES));
    await far.kill();
    await far.start();
    await hears('after');
    expect(ledger.verdict().accounts.get('held')).toMatchObject({ acknowledged: MESSAGES, arrived: 0 });
  });

  it('with the disk of the gateway: what waits there, and nothing of what comes later', async () => {
    const server = await startNats();
    const site = await siteWith(nats(server), {});
    const program = await site.client('program');
    const ledger = new Ledger();
    await emitAll(program, ledger.sender('arrived', 1), MESSAGES);
    const stats = await follow(program);
    await until(() => expect(stats()).toMatchObject({ state: 'up', queue: { messages: 0 } }));
    await server.stop();
    await emitAll(program, ledger.sender('waits', 1), MESSAGES);
    await site.kill();
    await site.loseStore();
    await server.start();
    await site.start();
    // It counts from 1 again: the cluster must not take that for what it has already.
    await emitAll(program, ledger.sender('after', 1), MESSAGES);
    await until(async () => expect(await countIn(server)).toBe(2 * MESSAGES));
    await readStream(await natsClient(server.url), 'slipway', 'site.load.>', ledger);
    const { accounts } = ledger.verdict();
    expect(accounts.get('arrived')).toMatchObject({ arrived: MESSAGES, repeated: 0 });
    expect(accounts.get('waits')).toMatchObject({ acknowledged: MESSAGES, arrived: 0 });
    expect(accounts.get('after')).toMatchObject({ acknowledged: MESSAGES, arrived: MESSAGES, repeated: 0 });
  });

  it('of QoS 0: what is emitted while the cluster is away, and it is counted', async () => {
    const server = await startNats();
    await server.stop();
    const live = { pattern: 'live', direction: 'out', qos: 0 };
    const site = await siteWith(nats(server), {}, [live]);
    const program = await site.client('program');
    const stats = await follow(program);
    for (let n = 0; n < 10; n++) await program.emit('live', 'now', { qos: 0 });
    await until(() => expect(stats().drops).toEqual({ offline: 10 }));
  });

  it('of a gateway that is away: what the stream could not keep for it, and it says so', async () => {
    const server = await startNats();
    const small = nats(server, { max_bytes: '64 KiB' });
    const near = await siteWith(small, {});
    const rule = { pattern: 'load/#', direction: 'in', qos: 1, remote: 'site/load/#' };
    const far = await Site.start('far', { bridges: [{ name: 'plant', ...small, rules: [rule] }] });
    const heard: string[] = [];
    const hearer = await far.client('hearer');
    await hearer.subscribe('load/#', ({ text }) => void heard.push(text.trimEnd()), { qos: 1 });
    const program = await near.client('program');
    await until(async () => {
      await program.emit('load/first', 'first');
      expect(heard).toContain('first');
    });
    await far.kill();
    const ledger = new Ledger();
    await emitAll(program, ledger.sender('tcp', 1), MESSAGES, 1000);
    const stats = await follow(program);
    await until(() => expect(stats().queue.messages).toBe(0));
    const kept = await countIn(server);
    expect(kept).toBeLessThan(MESSAGES);
    heard.length = 0;
    await far.start();
    await until(() => expect(heard.at(-1)).toBe(`tcp ${MESSAGES - 1}`));
    for (const text of heard) ledger.arrived(text);
    const missing = MESSAGES - kept;
    expect(ledger.verdict().faults.map((fault) => fault.replace(/.* and /, ''))).toEqual([
      `${missing - 5} more`,
    ]);
    expect(far.log.join('\n')).toMatch(/bridge plant: the stream slipway has dropped messages/);
  });

  it('nothing, but more arrives: what was sent and not acknowledged for longer than the stream knows a message', async () => {
    const server = await startNats();
    const relay = await Relay.to({ host: '127.0.0.1', port: server.port });
    const upstream = {
      nats: { servers: `nats://127.0.0.1:${relay.address.port}`, duplicate_window: `${WINDOW_MS}ms` },
    };
    const site = await siteWith(upstream, {});
    const program = await site.client('program');
    const stats = await follow(program);
    await until(() => expect(stats().state).toBe('up'));
    const ledger = new Ledger();
    const book = ledger.sender('tcp', 1);
    // The first is sent alone.
    await program.emit('load/first', ledger.sender('first', 1).next().text);
    await until(() => expect(stats()).toMatchObject({ out: 1, queue: { messages: 0 } }));
    // These arrive, and the gateway does not hear so.
    relay.mute();
    await emitAll(program, book, MESSAGES);
    await until(async () => expect(await countIn(server)).toBe(1 + MESSAGES));
    relay.cut();
    // It looks once in a window for what it may forget.
    await sleep(2.5 * WINDOW_MS);
    relay.mend();
    await until(() => expect(stats()).toMatchObject({ state: 'up', queue: { messages: 0 } }));
    await readStream(await natsClient(server.url), 'slipway', 'site.load.>', ledger);
    const { accounts, faults } = ledger.verdict();
    expect(faults).toEqual([]);
    expect(accounts.get('tcp')).toMatchObject({
      acknowledged: MESSAGES,
      arrived: MESSAGES,
      repeated: MESSAGES,
    });
  });
});
