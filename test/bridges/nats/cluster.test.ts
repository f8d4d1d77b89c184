import { jetstreamManager } from '@nats-io/jetstream';
import { expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { until } from '../../support/gateways.js';
import { type NatsCluster, startNatsCluster } from '../../support/nats-server.js';
import { describeWithTools } from '../../support/tools.js';
import { program, Side } from './upstreams.js';

/** Messages under way at once: enough to be in the middle of something, not so many that the machine is busy with them. */
const WINDOW = 40;
/** How long a cluster may take to elect leaders on a machine that is busy, ms. */
const PATIENCE_MS = 90_000;

/** Publishes without end, as a bridge does: over the connection that there is, what is unsettled again over the next one. */
class Load {
  readonly sides: Side[];
  /** Of what was given to a connection and is not settled, by record. */
  readonly #unsettled = new Map<number, string>();
  #count = 0;
  #settled = 0;
  #ended = false;
  #reconnecting = false;

  constructor(first: Side) {
    this.sides = [first];
  }

  get side(): Side {
    return this.sides.at(-1) as Side;
  }

  get count(): number {
    return this.#count;
  }

  get settled(): number {
    return this.#settled;
  }

  /** Nothing new is published any more. */
  end(): void {
    this.#ended = true;
  }

  /** To be called again and again. */
  pump(): void {
    for (const record of this.side.settledRecords.splice(0))
      if (this.#unsettled.delete(record)) this.#settled++;
    if (this.side.problems.length > 0) return void this.#reconnect();
    while (!this.#ended && !this.#reconnecting && this.#unsettled.size < WINDOW) {
      const record = ++this.#count;
      this.#unsettled.set(record, `${record}`);
      this.side.publish(`site/${record % 5}`, `${record}`, { record, retain: record % 7 === 0 });
    }
  }

  async #reconnect(): Promise<void> {
    if (this.#reconnecting) return;
    this.#reconnecting = true;
    const next = this.side.again();
    await connected(next);
    this.sides.push(next);
    this.#reconnecting = false;
    for (const [record, text] of this.#unsettled)
      next.publish(`site/${record % 5}`, text, { record, retain: record % 7 === 0 });
  }
}

/** Connects as soon as that is possible. */
async function connected(side: Side): Promise<void> {
  const end = systemClock.now() + PATIENCE_MS;
  for (;;) {
    try {
      await side.connect();
      return;
    } catch (error) {
      if (systemClock.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Hears all, over all connections. */
class Ear {
  readonly sides: Side[];
  #reconnecting = false;

  constructor(first: Side) {
    this.sides = [first];
  }

  get texts(): string[] {
    return this.sides.flatMap(({ texts }) => texts);
  }

  async pump(): Promise<void> {
    const side = this.sides.at(-1) as Side;
    if (side.problems.length === 0 || this.#reconnecting) return;
    this.#reconnecting = true;
    const next = side.again();
    await connected(next);
    next.want(2, 'site/+');
    this.sides.push(next);
    this.#reconnecting = false;
  }
}

describeWithTools(['nats-server'], 'a cluster of NATS whose servers are killed under load', () => {
  it('gets each message once and in order, and so does who hears it', { timeout: 300_000 }, async () => {
    const cluster = await startNatsCluster();
    const config = { replicas: 3 };
    const load = new Load(await new Side(cluster.urls, { config }).connect());
    const first = new Side(cluster.urls, { config });
    const ear = new Ear(await first.hear('site/+'));
    await until(() => expect(first.options.records.get('in/slipway/0')).toBeDefined());
    const timer = setInterval(() => {
      load.pump();
      void ear.pump();
    }, 10);
    try {
      await goesOn(load, 200);
      for (const node of cluster.nodes) {
        await node.kill();
        await goesOn(load, 200);
        await node.start();
        await inSync(cluster);
        await goesOn(load, 200);
      }
      await cluster.kill();
      await cluster.start();
      await goesOn(load, 200);
      load.end();
      await patiently(() => expect(load.settled).toBe(load.count));
      await patiently(() => expect(ear.texts.length).toBeGreaterThanOrEqual(load.count));
    } finally {
      clearInterval(timer);
    }
    const all = Array.from({ length: load.count }, (_, i) => `${i + 1}`);
    expect(firstDifference(ear.texts, all)).toBeUndefined();
    expect(load.sides.flatMap(({ refusals }) => refusals)).toEqual([]);
    // They were cut off, indeed.
    expect(load.sides.length).toBeGreaterThan(1);
    expect(ear.sides.length).toBeGreaterThan(1);
  });
});

/** Waits until so many more messages have been acknowledged. */
async function goesOn(load: Load, count: number): Promise<void> {
  const enough = load.settled + count;
  await patiently(() => expect(load.settled).toBeGreaterThan(enough));
}

async function patiently(check: () => void | Promise<void>): Promise<void> {
  await vi.waitFor(check, { timeout: PATIENCE_MS, interval: 10 });
}

/** All copies are up to date: only then may the next server die. */
async function inSync(cluster: NatsCluster): Promise<void> {
  const manager = await jetstreamManager(await program(cluster.urls), { checkAPI: false });
  await patiently(async () => {
    for (const name of ['slipway', 'KV_slipway']) {
      const { cluster: state } = await manager.streams.info(name);
      expect(state?.leader).toBeTruthy();
      expect(state?.replicas?.map(({ current }) => current)).toEqual([true, true]);
    }
  });
}

/** Where what was heard is not what was sent, with what is around it. */
function firstDifference(heard: readonly string[], sent: readonly string[]): object | undefined {
  const at = heard.findIndex((text, i) => text !== sent[i]);
  if (at < 0) return heard.length === sent.length ? undefined : { heard: heard.length, sent: sent.length };
  const counts = new Map<string, number>();
  for (const text of heard) counts.set(text, (counts.get(text) ?? 0) + 1);
  return {
    at,
    heard: heard.slice(Math.max(0, at - 3), at + 10),
    sent: sent.slice(Math.max(0, at - 3), at + 10),
    missing: sent.filter((text) => !counts.has(text)).length,
    twice: [...counts].filter(([, count]) => count > 1).length,
  };
}
