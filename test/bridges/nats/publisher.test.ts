import type { Msg, NatsConnection, PublishOptions, SubscriptionOptions } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { HeaderWriter } from '../../../src/bridges/nats/headers.js';
import { Publisher } from '../../../src/bridges/nats/publisher.js';
import { Spelling } from '../../../src/bridges/nats/spelling.js';
import { SubjectSet } from '../../../src/bridges/nats/subject-sets.js';
import { Random } from '../../support/random.js';
import { forSeeds } from '../../support/seeds.js';
import { VirtualClock } from '../../support/virtual-clock.js';

/** A cluster takes so long at least to elect a leader, ms: as nats-server does. */
const ELECTION_MS = { least: 4000, more: 5000 };
/** And a message so long to get there, and its acknowledgement back, ms. */
const MOST_DELAY_MS = 150;

/**
 * A cluster in virtual time, of which any leader may die at any moment: what it had not passed on to others is lost, acknowledged or not sent at
 * all; while there is none, some messages are answered with "nobody", and others with silence.
 */
class Cluster {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** What all leaders have, by subject. */
  readonly stored: { readonly subject: string; readonly id: string; readonly text: string }[] = [];
  readonly #ids = new Set<string>();
  #leader: number | undefined = 1;
  #terms = 1;
  #arrival = 0;
  full = false;
  #answer: (message: Msg) => void = () => {};
  /** Whether nobody says that there is no leader. */
  silent = false;

  constructor(clock: VirtualClock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  /** As much of a connection as a publisher needs. */
  get connection(): NatsConnection {
    return {
      subscribe: (_subject: string, { callback }: SubscriptionOptions) => {
        this.#answer = (message) => void callback?.(null, message);
        return { unsubscribe() {} };
      },
      publish: (subject: string, payload: Uint8Array, options: PublishOptions) => {
        const bytes = (options.headers as unknown as { encode(): Uint8Array }).encode();
        const id = /Nats-Msg-Id: (\S+)/.exec(Buffer.from(bytes).toString())?.[1] as string;
        this.#arrive(subject, id, Buffer.from(payload).toString(), options.reply as string);
      },
      isClosed: () => false,
    } as unknown as NatsConnection;
  }

  /** The leader dies; another one is elected later. */
  kill(): void {
    this.#leader = undefined;
    const term = ++this.#terms;
    this.clock.schedule(ELECTION_MS.least + this.random.below(ELECTION_MS.more), () => {
      if (this.#terms === term) this.#leader = term;
    });
  }

  /** There is room again; not between two messages that are on their way, for the second would overtake the first. */
  empty(): void {
    if (this.#arrival > this.clock.now())
      this.clock.schedule(this.#arrival - this.clock.now(), () => this.empty());
    else this.full = false;
  }

  /** In the order in which it was sent, later. */
  #arrive(subject: string, id: string, text: string, reply: string): void {
    const leader = this.#leader;
    this.#arrival = Math.max(this.#arrival, this.clock.now() + this.random.below(MOST_DELAY_MS));
    this.clock.schedule(this.#arrival - this.clock.now(), () => {
      // What was on its way to the old leader dies with it.
      if (this.#leader === undefined || (leader !== undefined && leader !== this.#leader)) {
        if (!this.silent && this.random.chance(0.5)) this.#say(reply, '');
        return;
      }
      if (this.full) return this.#say(reply, '{"error":{"code":503,"err_code":10077,"description":"full"}}');
      const known = this.#ids.has(subject + id);
      if (!known) {
        this.#ids.add(subject + id);
        this.stored.push({ subject, id, text });
      }
      const acknowledged = this.#leader;
      this.clock.schedule(this.random.below(MOST_DELAY_MS), () => {
        // The acknowledgement may die with who sends it.
        const isLost = this.#leader !== acknowledged || this.random.chance(0.001);
        if (!isLost) this.#say(reply, `{"stream":"x","seq":1${known ? ',"duplicate": true' : ''}}`);
      });
    });
  }

  #say(reply: string, json: string): void {
    this.#answer({ subject: reply, data: Buffer.from(json) } as unknown as Msg);
  }
}

describe('the publisher to JetStream, in virtual time', () => {
  it('keeps the order, and loses and doubles nothing, whenever leaders die and acknowledgements are lost', () => {
    forSeeds(150, (seed) => {
      const random = new Random(seed);
      const clock = new VirtualClock();
      const cluster = new Cluster(clock, random);
      const settled: number[] = [];
      const waits: (string | undefined)[] = [];
      const publisher = publisherTo(cluster, clock, settled, waits);
      const window = 1 + random.below(400);
      const count = 600;
      cluster.silent = random.chance(0.5);
      // All at once, or one after the other: then some are sent for the first time while there is no leader.
      const [atOnce, everyMs] = random.chance(0.5) ? [window, 5] : [1, 10 + random.below(40)];
      let sent = 0;
      const isRetained = (record: number) => record % 3 === 0;
      const pump = () => {
        for (let i = 0; i < atOnce && sent < count && sent - settled.length < window; i++)
          publisher.publish(message(++sent, isRetained(sent)));
        clock.schedule(everyMs, pump);
      };
      pump();
      const faults = 1 + random.below(4);
      for (let i = 0; i < faults; i++)
        clock.schedule(random.below(20_000), () => {
          if (random.chance(0.7)) return cluster.kill();
          cluster.full = true;
          clock.schedule(random.below(8000), () => cluster.empty());
        });
      clock.until(() => settled.length === count, 600_000, 'all are acknowledged');
      const records = Array.from({ length: count }, (_, i) => i + 1);
      const storedAt = (subject: string) =>
        cluster.stored.filter((each) => each.subject === subject).map(({ text }) => Number(text));
      expect(storedAt('site.x')).toEqual(records);
      expect(storedAt('$KV.b.site.x')).toEqual(records.filter(isRetained));
      expect(settled.toSorted((a, b) => a - b)).toEqual(records);
      // It said that it waits as often as that it goes on.
      expect(waits.at(-1)).toBeUndefined();
      publisher.close();
    });
  });

  it('refuses what is forbidden, and only that, also while one is tried alone', () => {
    const clock = new VirtualClock();
    const cluster = new Cluster(clock, new Random(1));
    const settled: number[] = [];
    const refused: number[] = [];
    const publisher = publisherTo(cluster, clock, settled, [], refused);
    publisher.publish(message(1, false));
    publisher.publish(message(2, false));
    expect(publisher.forbidden('site.x', 'no')).toBe(true);
    expect(refused).toEqual([1]);
    expect(publisher.forbidden('site.y', 'no')).toBe(false);
    clock.until(() => settled.includes(2), 10_000, 'the next one is acknowledged');
  });
});

function publisherTo(
  cluster: Cluster,
  clock: VirtualClock,
  settled: number[],
  waits: (string | undefined)[],
  refused: number[] = [],
): Publisher {
  return new Publisher({
    nc: cluster.connection,
    clock,
    headers: new HeaderWriter('me'),
    spelling: new Spelling('b', () => 1_000_000),
    events: {
      settled: (record) => void settled.push(record),
      refused: (record) => void refused.push(record),
    },
    captured: new SubjectSet(['site.>']),
    duplicate() {},
    waits: (why) => void waits.push(why),
    broken: (error) => {
      throw error;
    },
  });
}

function message(record: number, retain: boolean) {
  return {
    name: 'site/x',
    payload: Buffer.from(String(record)),
    qos: 1,
    retain,
    properties: undefined,
    expiresAt: undefined,
    via: ['me'],
    at: 0,
    record,
  } as const;
}
