import { describe, expect, it } from 'vitest';
import type { Cancel } from '../src/clock.js';
import { Counters } from '../src/counters.js';
import { FairTurns, type Share, type Worker } from '../src/fair-turns.js';
import { Inbox } from '../src/gateway/inbox.js';
import type { Link } from '../src/links/link.js';
import type { PacketReader } from '../src/wire/decode.js';
import { encodePacket } from '../src/wire/encode.js';
import type { Ping } from '../src/wire/messages.js';
import { connectTo, startGateway, until } from './support/gateways.js';
import { RawTcp } from './support/raw-peers.js';
import { VirtualClock } from './support/virtual-clock.js';

/** A clock on which every look at it takes a while, and what is to run in the next turn. */
class BusyClock extends VirtualClock {
  #looked = 0;
  readonly turns: (() => void)[] = [];

  override now(): number {
    this.#looked += 0.1;
    return this.#looked;
  }

  override yield(run: () => void): Cancel {
    this.turns.push(run);
    return () => {};
  }

  /** Runs the next turn; false when there is none. */
  turn(): boolean {
    const run = this.turns.shift();
    run?.();
    return run !== undefined;
  }
}

class Pieces implements Worker {
  left: number;
  readonly #name: string;
  readonly #done: string[];

  constructor(name: string, left: number, done: string[]) {
    this.#name = name;
    this.left = left;
    this.#done = done;
  }

  work(share: Share): boolean {
    do {
      this.left -= 1;
      this.#done.push(this.#name);
    } while (this.left > 0 && !share.over());
    return this.left > 0;
  }
}

describe('turns', () => {
  it('are shared: who has little to do is not kept waiting by who has much', () => {
    const clock = new BusyClock();
    const turns = new FairTurns(clock, () => 0);
    const done: string[] = [];
    turns.wait(new Pieces('much', 10_000, done));
    turns.wait(new Pieces('little', 1, done));
    expect(clock.turn()).toBe(true);
    expect(done.indexOf('little')).toBeLessThan(50);
    expect(done.length).toBeLessThan(200);
    while (clock.turn());
    expect(done).toHaveLength(10_001);
  });

  it('end with a number of deliveries too, whatever the clock says', () => {
    const clock = new VirtualClock();
    let delivered = 0;
    const turns = new FairTurns(clock, () => delivered);
    let shares = 0;
    while (turns.begin() !== undefined && shares < 1000) {
      shares += 1;
      delivered += 1000;
    }
    expect(shares).toBeLessThan(20);
    clock.advance(1);
    expect(turns.begin()).toBeDefined();
  });

  it('do not come to who left', () => {
    const clock = new BusyClock();
    const turns = new FairTurns(clock, () => 0);
    const done: string[] = [];
    const worker = new Pieces('gone', 1, done);
    turns.wait(worker);
    turns.leave(worker);
    while (clock.turn());
    expect(done).toEqual([]);
  });
});

describe('an inbox', () => {
  const pings = (from: number, count: number): Uint8Array =>
    encodePacket(Array.from({ length: count }, (_, n) => ({ type: 'ping', token: (from + n) & 0xff })));

  /** Notes what it gets. */
  class Notes extends Inbox {
    readonly got: number[] = [];
    there = true;
    closed = false;

    protected override malformed(): void {}

    protected override opens(): boolean {
      return true;
    }

    protected override receive(packet: PacketReader, share: Share): boolean {
      if (!this.there) return false;
      do this.got.push((packet.next() as Ping).token);
      while (!packet.done && !share.over());
      return true;
    }

    close(): void {
      this.workOff(() => {
        this.closed = true;
      });
    }
  }

  /** On a clock on which everything takes its time. */
  function inboxOf(link: Partial<Link>) {
    const clock = new BusyClock();
    const counters = new Counters();
    const inbox = new Notes(link as Link, new FairTurns(clock, () => 0), counters);
    return { inbox, clock, counters, got: inbox.got };
  }

  it('hands on a large packet piece by piece, in order, what came behind it after it', () => {
    const calls: string[] = [];
    const link = { pause: () => void calls.push('pause'), resume: () => void calls.push('resume') };
    const { inbox, clock, got } = inboxOf(link);
    const large = pings(0, 200);
    inbox.packet(large);
    inbox.packet(pings(200, 1));
    large.fill(0); // The bytes are only valid during the call.
    expect(got.length).toBeGreaterThan(0);
    expect(got.length).toBeLessThan(50);
    expect(calls).toEqual(['pause']);
    while (clock.turn());
    expect(got).toEqual(Array.from({ length: 201 }, (_, n) => n));
    expect(calls.at(-1)).toBe('resume');
  });

  it('keeps no more than a bound for a link that cannot be paused, and counts the rest', () => {
    const { inbox, clock, counters, got } = inboxOf({});
    inbox.packet(pings(0, 200));
    for (let n = 0; n < 1000; n++) inbox.packet(pings(n, 1));
    const dropped = counters.get('session.drop.busy');
    expect(dropped).toBeGreaterThan(400);
    while (clock.turn());
    expect(got).toHaveLength(1200 - dropped);
  });

  it('works off what came before the link was lost, then says so', () => {
    const { inbox, clock, got } = inboxOf({});
    inbox.packet(pings(0, 200));
    inbox.close();
    expect(inbox.closed).toBe(false);
    while (!inbox.closed && clock.turn());
    expect(inbox.closed).toBe(true);
    expect(got).toHaveLength(200);
  });

  it('drops the rest of a packet when nobody is there any more', () => {
    const { inbox, clock, got } = inboxOf({});
    inbox.packet(pings(0, 200));
    inbox.there = false;
    const before = got.length;
    while (clock.turn());
    inbox.there = true;
    inbox.packet(pings(7, 1));
    while (clock.turn());
    expect(got).toHaveLength(before + 1);
  });
});

describe('a peer that floods', () => {
  // Nobody else emits.
  const ALONE = { stats: { interval: 0 } };

  /** Broadcasts without payload in one packet, 3 bytes each. */
  function broadcasts(count: number): Uint8Array {
    const packet = new Uint8Array(3 * count);
    for (let at = 0; at < packet.length; at += 3) packet.set([0xc0, 0x01, 0x00], at);
    return packet;
  }

  it('does not keep others from being served before its flood is through', async () => {
    const { tcp, count } = await startGateway(ALONE);
    for (let n = 0; n < 20; n++) (await connectTo(tcp)).on('overflow', () => {});
    const good = await connectTo(tcp);
    const got: string[] = [];
    await good.subscribe('x', ({ text }) => void got.push(text));
    const flood = await RawTcp.open(tcp);
    await flood.introduce('flood', { maxPacket: 65_536 });
    const emitted = count('router.emit');
    flood.sendPacket(broadcasts(20_000));
    flood.send({ type: 'ping', token: 7 });
    await until(() => expect(count('router.emit')).toBeGreaterThan(emitted));
    for (let n = 0; n < 5; n++) await good.emit('x', `${n}`);
    expect(flood.all('pong')).toEqual([]);
    expect(got).toEqual(['0', '1', '2', '3', '4']);
    await until(() => expect(flood.all('pong')).toMatchObject([{ token: 7 }]));
    expect(count('router.emit') - emitted).toBe(20_005);
  });

  it('has everything taken that it sent before it hung up', async () => {
    const { tcp, count, gateway } = await startGateway(ALONE);
    for (let n = 0; n < 20; n++) await connectTo(tcp);
    const flood = await RawTcp.open(tcp);
    await flood.introduce('flood', { maxPacket: 65_536 });
    const emitted = count('router.emit');
    flood.sendPacket(broadcasts(5000));
    flood.send({ type: 'bye', reason: 'end_session' });
    flood.socket.end();
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 20, held: 0 }));
    expect(count('router.emit') - emitted).toBe(5000 + 1); // Its state is one more.
  });
});
