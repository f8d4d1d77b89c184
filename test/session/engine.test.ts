import { describe, expect, test } from 'vitest';
import { BROADCAST_CHANNEL } from '../../src/wire/channels.js';
import type { Message } from '../../src/wire/messages.js';
import { ack, Bench, brief, named, SERIAL, TCP, UDP } from './engine-bench.js';

const briefs = (messages: readonly Message[]) => messages.map(brief);

describe('receiving (PROTOCOL.md §5.2, §5.3)', () => {
  test('delivers in order, once, and keeps nothing of the receive buffer', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.receive(named('two', 2, 101), named('zero', 0));
    bench.receive(named('one', 1, 100));
    bench.receive(named('one', 1, 100), named('two', 2, 101));
    expect(bench.taken).toEqual(['c=zero@0', 'c=one@1', 'c=two@2']);
    expect(bench.counters.get('session.duplicates')).toBe(2);
  });

  test('an ACK waits 20 ms for company', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.receive(named('x', 1, 100));
    expect(bench.sent()).toEqual([]);
    expect(bench.engine.wakeAt()).toBe(1020);
    expect(briefs(bench.sentAtNextWake())).toEqual(['ack 101']);
    expect(bench.sent()).toEqual([]);
  });

  test('and goes with whatever leaves before', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.receive(named('x', 1, 100));
    bench.emit('y', 0);
    expect(bench.packets()).toHaveLength(1);
    bench.receive(named('x', 1, 101), { type: 'ping', token: 9 });
    expect(briefs(bench.sent())).toEqual(['pong', 'ack 102']);
  });

  test('numbers run on across 65535', () => {
    const bench = new Bench('gateway').begin(UDP, { nextIn: 65_535 });
    bench.receive(named('b', 1, 65_536));
    bench.receive(named('a', 1, 65_535));
    expect(bench.taken).toEqual(['c=a@1', 'c=b@1']);
    expect(briefs(bench.sent())).toEqual(['ack 1']);
  });

  test('what is beyond the window is counted', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.receive(named('far', 1, 108));
    expect(bench.counters.get('session.drop.beyond_window')).toBe(1);
    expect(bench.counters.get('session.drop.stale_ack')).toBe(0);
    bench.receive(ack(150));
    expect(bench.counters.get('session.drop.stale_ack')).toBe(1);
  });

  test('a sender that does not wait for acknowledgements gets no further than a window', () => {
    const bench = new Bench('gateway').begin(TCP);
    for (let seq = 100; seq < 1100; seq++) bench.receive(named('x', 1, seq));
    expect(bench.taken).toHaveLength(8);
    expect(bench.counters.get('session.drop.beyond_window')).toBe(992);
    expect(briefs(bench.sent())).toEqual(['ack 108']);
    bench.receive(named('x', 1, 115), named('x', 1, 116));
    expect(bench.counters.get('session.drop.beyond_window')).toBe(993);
  });

  test('answers what is asked, and only so much at a time', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.receive({ type: 'time', token: 7 });
    expect(bench.sent()).toEqual([{ type: 'time', token: 7, time: 1_767_225_600_000 }]);
    for (let i = 0; i < 100; i++) bench.receive({ type: 'ping', token: i });
    expect(bench.sent()).toHaveLength(64);
    expect(bench.counters.get('session.drop.replies_full')).toBe(36);
  });
});

describe('refusals (§7)', () => {
  test('a peer that never acknowledges them is refused a window of messages, and no more', () => {
    const bench = new Bench('gateway').begin(TCP);
    bench.refusing = 'not_allowed';
    for (let seq = 100; seq < 1100; seq++) {
      bench.receive(named('x', 1, seq));
      bench.sent();
    }
    expect(bench.engine.pending).toBe(8);
    expect(bench.counters.get('session.drop.beyond_window')).toBe(992);
  });

  test('the ACK of a refused message waits until the REJECT was acknowledged', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.refusing = 'not_allowed';
    bench.receive(named('bad', 1, 100));
    bench.refusing = undefined;
    bench.receive(named('good', 1, 101));
    expect(briefs(bench.sent())).toEqual(['ack 100', 'reject 100 not_allowed#200']);
    bench.receive(named('bad', 1, 100));
    expect(briefs(bench.sent())).toEqual(['ack 100']);
    bench.receive(ack(201));
    expect(briefs(bench.sent())).toEqual(['ack 102']);
    expect(bench.taken).toEqual(['c=good@1']);
  });

  test('the sender hears the reason, though the message was held behind a gap at first', () => {
    const bench = new Bench('peer').begin(UDP);
    bench.emit('a', 1);
    bench.sent();
    bench.emit('b', 1);
    bench.sent();
    bench.receive(ack(200, 0b1));
    expect(bench.settled).toEqual([]);
    bench.receive({ type: 'reject', seq: 100, of: 201, reason: 'queue_full' });
    expect(bench.settled).toEqual(['b queue_full']);
    expect(bench.counters.get('session.peer_refused.queue_full')).toBe(1);
    bench.receive(ack(202));
    expect(bench.settled).toEqual(['b queue_full', 'a ok']);
  });

  test('a REJECT does not wait behind what else waits', () => {
    const bench = new Bench('gateway').begin(UDP, { other: { window: 1 } });
    for (const text of ['a', 'b', 'c']) bench.emit(text, 1);
    expect(briefs(bench.sent())).toEqual(['c=a@1#200']);
    bench.refusing = 'queue_full';
    bench.receive(named('x', 1, 100), ack(201));
    expect(briefs(bench.sent())).toEqual(['ack 100', 'reject 100 queue_full#201']);
  });

  test('a peer that takes nothing reliable is told by REFUSE, with the ACK behind it', () => {
    const bench = new Bench('gateway').begin(UDP, { other: { window: 0 } });
    bench.refusing = 'bad_channel';
    bench.receive(named('x', 1, 255), named('y', 1, 100));
    const messages = bench.sent();
    expect(briefs(messages)).toEqual(['refuse bad_channel 0064', 'ack 101']);
  });

  test('an unreliable emit is refused by its channel', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.receive({ type: 'emit', qos: 0, retain: false, id: 300, payload: new Uint8Array() });
    bench.refusing = 'not_allowed';
    bench.receive(named('x', 0, undefined, 'ab'));
    expect(briefs(bench.sent())).toEqual(['refuse no_such_id ac02', 'refuse not_allowed 026162']);
  });

  test('a refusal that the peer could not take says less, and holds nothing up', () => {
    const bench = new Bench('gateway').begin(UDP, { other: { maxPacket: 48 } });
    bench.refusing = 'not_allowed';
    bench.receive(named('x', 0, undefined, 'n'.repeat(100)));
    bench.receive({ type: 'ping', token: 1 });
    expect(briefs(bench.sent())).toEqual(['refuse not_allowed', 'pong']);
  });

  test('what is not known of the protocol is refused', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.receive({ type: 'extended', kind: 9, body: new Uint8Array(3) });
    expect(briefs(bench.sent())).toEqual(['refuse unsupported']);
  });
});

describe('ids (§6.3)', () => {
  test('one of its own is used at QoS 0 only when the declaration was acknowledged', () => {
    const bench = new Bench('gateway').begin(SERIAL, { other: { ids: 5 } });
    bench.emit('1', 0);
    expect(briefs(bench.sent())).toEqual(['declare 1 c#200', 'c=1@0']);
    bench.emit('2', 0);
    expect(briefs(bench.sent())).toEqual(['c=2@0']);
    bench.receive(ack(201));
    bench.emit('3', 0);
    bench.emit('4', 1);
    expect(briefs(bench.sent()).sort()).toEqual(['G1=3@0', 'G1=4@1#201']);
  });

  test('on UDP, where a late datagram could meet another epoch, QoS 0 names what the gateway declared, and a peer declares nothing', () => {
    const bench = new Bench('gateway').begin(UDP, { other: { ids: 5 } });
    bench.emit('1', 1);
    bench.sent();
    bench.receive(ack(202));
    bench.emit('2', 0);
    bench.emit('3', 1);
    expect(briefs(bench.sent()).sort()).toEqual(['G1=3@1#202', 'c=2@0']);
    const peer = new Bench('peer').begin(UDP, { other: { ids: 5 } });
    peer.emit('1', 1);
    expect(briefs(peer.sent())).toEqual(['c=1@1#200']);
  });

  test('one that was refused is never used', () => {
    const bench = new Bench('gateway').begin(UDP, { other: { ids: 5 } });
    bench.emit('1', 0);
    bench.sent();
    bench.receive({ type: 'reject', seq: 100, of: 200, reason: 'limit_reached' }, ack(201));
    bench.emit('2', 0);
    expect(briefs(bench.sent())).toContain('c=2@0');
  });

  test("the other side's are used at once, in both directions", () => {
    const bench = new Bench('gateway').begin(UDP, { other: { ids: 5 } });
    bench.receive({ type: 'declare', seq: 100, id: 3, name: 'c' });
    bench.receive({ type: 'emit', qos: 0, retain: false, id: 3, payload: Buffer.from('x') });
    bench.emit('y', 0);
    expect(bench.taken).toEqual(['c=x@0']);
    expect(briefs(bench.sent())).toContain('3=y@0');
  });

  test('none beyond what was allowed can be declared', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.receive({ type: 'declare', seq: 100, id: 11, name: 'c' });
    expect(briefs(bench.sent())).toContain('reject 100 limit_reached#200');
  });

  test('a gateway declares no more than it lets the peer declare, whatever that allows', () => {
    const channels = Array.from({ length: 12 }, (_, n) => `c${n}`);
    const declared = (role: 'gateway' | 'peer') => {
      const bench = new Bench(role).begin(TCP, { other: { window: 100, ids: 1000 }, own: OWN });
      for (const channel of channels) bench.emit('x', 0, channel);
      return bench.sent().filter(({ type }) => type === 'declare').length;
    };
    const OWN = { maxPacket: 1024, window: 8, inFlight: 100, buffer: 0, ids: 10 };
    expect(declared('gateway')).toBe(10);
    expect(declared('peer')).toBe(12);
  });

  test('a SUBSCRIBE with an id declares it', () => {
    const bench = new Bench('gateway').begin(UDP);
    const options = { qos: 1, noLocal: false, noLastValue: false } as const;
    bench.receive({ type: 'subscribe', seq: 100, ...options, id: 4, pattern: 'c' });
    expect(bench.controls).toMatchObject([{ type: 'subscribe', pattern: 'c' }]);
    bench.emit('y', 0);
    expect(briefs(bench.sent())).toContain('4=y@0');
  });

  test('id 0 is the broadcast channel', () => {
    const bench = new Bench('gateway').begin(UDP, { other: { ids: 5 } });
    bench.receive({ type: 'emit', qos: 0, retain: false, id: 0, payload: Buffer.from('x') });
    expect(bench.taken).toEqual([`${BROADCAST_CHANNEL}=x@0`]);
    bench.emit('y', 1, BROADCAST_CHANNEL);
    expect(briefs(bench.sent())).toEqual(['0=y@1#200']);
  });

  test('none is declared to a peer that takes nothing reliable', () => {
    const bench = new Bench('gateway').begin(UDP, { other: { window: 0, ids: 5 } });
    bench.emit('x', 0);
    expect(briefs(bench.sent())).toEqual(['c=x@0']);
    expect(bench.engine.pending).toBe(0);
  });
});

describe('limits (§5.7)', () => {
  test('a message for which there is no room is refused', () => {
    const bench = new Bench('peer', { messages: 2, bytes: 1000 }).begin(UDP, { other: { window: 1 } });
    expect([bench.emit('a', 1), bench.emit('b', 1), bench.emit('c', 1)]).toEqual([
      undefined,
      undefined,
      'queue_full',
    ]);
    bench.sent();
    bench.receive(ack(201));
    expect(bench.emit('c', 1)).toBeUndefined();
  });

  test('so is one for which there are not enough bytes, until others are done', () => {
    const bench = new Bench('peer', { messages: 100, bytes: 250 }).begin(UDP);
    expect(bench.emit('x'.repeat(100), 1)).toBeUndefined();
    expect(bench.emit('y'.repeat(100), 1)).toBeUndefined();
    expect(bench.emit('z'.repeat(100), 1)).toBe('queue_full');
    bench.sent();
    bench.receive(ack(202));
    expect(bench.emit('z'.repeat(100), 1)).toBeUndefined();
  });

  test('what fits exactly is taken, one byte more is too large', () => {
    const bench = new Bench('gateway').begin(UDP, { other: { maxPacket: 48 } });
    bench.receive({ type: 'declare', seq: 100, id: 3, name: 'c' });
    // Head and id, at QoS 1 the number, too.
    expect(bench.emit('x'.repeat(46), 0)).toBeUndefined();
    expect(bench.emit('x'.repeat(47), 0)).toBe('too_large_for_receiver');
    expect(bench.emit('x'.repeat(44), 1)).toBeUndefined();
    expect(bench.emit('x'.repeat(45), 1)).toBe('too_large_for_receiver');
    expect(bench.packets().map((packet) => packet.length)).toEqual(expect.arrayContaining([48, 48]));
    expect(bench.counters.get('session.drop.too_large_for_receiver')).toBe(1);
  });

  test('QoS 0 is dropped without a link, and beyond the backlog', () => {
    const bench = new Bench('gateway');
    expect(bench.emit('x', 0)).toBe('link_lost');
    bench.begin(UDP).backlog = 1000;
    for (let i = 0; i < 3; i++) bench.emit('x'.repeat(400), 0);
    expect(bench.counters.get('session.drop.backlog_full')).toBe(1);
    bench.engine.detach();
    // The one before there was a link, and the two that waited.
    expect(bench.counters.get('session.drop.link_lost')).toBe(3);
  });

  test('of small messages of QoS 0, too, no more waits than the backlog in bytes', () => {
    const bench = new Bench('gateway').begin(TCP);
    bench.backlog = 10_000;
    for (let n = 0; n < 5000; n++) bench.emit('', 0);
    const dropped = bench.counters.get('session.drop.backlog_full');
    // Each is head, length, the name's length and the name.
    expect(5000 - dropped).toBe(2500);
    expect(bench.sent()).toHaveLength(5000 - dropped);
    // What left gives its room back.
    for (let n = 0; n < 100; n++) bench.emit('', 0);
    expect(bench.sent()).toHaveLength(100);
  });

  test('never more in flight than the other side takes, nor than this side said', () => {
    for (const [window, inFlight] of [
      [3, 8],
      [8, 3],
    ] as const) {
      const own = { maxPacket: 1024, window: 8, inFlight, buffer: 0, ids: 10 };
      const bench = new Bench('peer').begin(UDP, { own, other: { window } });
      for (let i = 0; i < 9; i++) bench.emit(`${i}`, 1);
      expect(bench.sent()).toHaveLength(3);
    }
  });

  test('a packet on a serial line never looks like text (§8)', () => {
    const bench = new Bench('gateway').begin(SERIAL);
    for (const size of [200, 100, 200, 126, 127, 20]) bench.emit('x'.repeat(size), 1);
    const packets = bench.packets();
    for (const packet of packets) {
      const first = packet[0] as number;
      if (first & 0x40) expect(packet[1]).toBeLessThan(128);
    }
    expect(packets.length).toBeGreaterThan(1);
  });
});

describe('resending (§5.4)', () => {
  test('what the other side, though it speaks, ignores ten times ends the epoch', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.emit('x', 1);
    bench.sent();
    let sends = 1;
    while (bench.events.length === 0) {
      bench.now += 1;
      bench.receive({ type: 'ping', token: 1 });
      bench.sent();
      sends += briefs(bench.sentAtNextWake()).filter((text) => text === 'c=x@1#200').length;
      expect(sends).toBeLessThan(100);
    }
    expect(bench.events).toEqual(['failed malformed']);
    expect(sends).toBe(11);
  });

  test('silence ends nothing, however long: the first answer goes on from there', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.emit('x', 1);
    bench.sent();
    for (let i = 0; i < 30; i++) bench.sentAtNextWake();
    bench.receive({ type: 'ping', token: 1 });
    bench.sentAtNextWake();
    bench.sentAtNextWake();
    expect(bench.events).toEqual([]);
    bench.receive(ack(201));
    expect(bench.settled).toEqual(['x ok']);
  });

  test('what no packet of a new link can carry ends the epoch', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.emit('x'.repeat(500), 1);
    bench.sent();
    bench.engine.detach();
    bench.begin({ ...UDP, maxPacket: 100 }, { continues: true });
    bench.sent();
    expect(bench.events).toEqual(['failed malformed']);
    // Under a new numbering it is left out, as what never had a number is.
    bench.begin({ ...UDP, maxPacket: 100 });
    expect(bench.sent()).toEqual([]);
    expect(bench.settled).toEqual([`${'x'.repeat(500)} too_large_for_receiver`]);
    expect(bench.engine.pending).toBe(0);
  });
});

describe('keep-alive (§4.5)', () => {
  test('the gateway lets go after 1.5 times the promised silence', () => {
    const bench = new Bench('gateway').begin(UDP, { keepAlive: 10 });
    bench.now += 9000;
    bench.receive({ type: 'ping', token: 1 });
    bench.sent();
    expect(bench.engine.wakeAt()).toBe(1000 + 9000 + 15_000);
    bench.sentAtNextWake();
    expect(bench.events).toEqual(['failed timeout']);
    expect(bench.engine.wakeAt()).toBeUndefined();
  });

  test('the peer asks, three times a second apart, and gives up', () => {
    const bench = new Bench('peer').begin(UDP, { keepAlive: 10 });
    const asked: number[] = [];
    while (bench.events.length === 0) {
      if (briefs(bench.sentAtNextWake()).includes('ping')) asked.push(bench.now);
    }
    expect(asked).toEqual([11_000, 12_000, 13_000]);
    expect(bench.now).toBe(14_000);
    expect(bench.events).toEqual(['failed timeout']);
  });

  test('the peer speaks at least as often as promised, though it hears enough', () => {
    const bench = new Bench('peer').begin(UDP, { keepAlive: 10 });
    for (let i = 0; i < 9; i++) {
      bench.now += 1000;
      bench.receive(named('x', 0));
    }
    expect(bench.sent()).toEqual([]);
    expect(briefs(bench.sentAtNextWake())).toEqual(['ping']);
    expect(bench.now).toBe(11_000);
    bench.receive({ type: 'pong', token: 1 });
    expect(bench.engine.wakeAt()).toBe(21_000);
  });

  test('without a promise nobody waits', () => {
    expect(new Bench('gateway').begin(UDP).engine.wakeAt()).toBeUndefined();
    expect(new Bench('peer').begin(UDP).engine.wakeAt()).toBeUndefined();
  });
});

describe('an epoch that the gateway has not confirmed (§4.2)', () => {
  test('begins every packet with BEGIN until an ACK in its window', () => {
    const bench = new Bench('peer').begin(UDP, { beginToken: 7 });
    bench.emit('a', 0);
    bench.emit('b', 1);
    expect(briefs(bench.sent())).toEqual(['begin', 'c=b@1#200', 'c=a@0']);
    bench.receive(ack(40_000));
    bench.emit('c', 0);
    expect(briefs(bench.sent())).toEqual(['begin', 'c=c@0']);
    expect(bench.events).toEqual([]);
    bench.receive(ack(200));
    expect(bench.events).toEqual(['confirmed']);
    bench.emit('d', 0);
    expect(briefs(bench.sent())).toEqual(['c=d@0']);
  });

  test('says nothing where there is nothing to say', () => {
    const bench = new Bench('peer').begin(UDP, { beginToken: 7 });
    expect(bench.sent()).toEqual([]);
  });
});

describe('the next epoch (§4.3)', () => {
  function interrupted(): Bench {
    const bench = new Bench('peer').begin(SERIAL, { other: { ids: 5 } });
    for (const text of ['a', 'b', 'c']) {
      bench.emit(text, 1);
      bench.sent();
    }
    bench.engine.control({ type: 'unsubscribe', pattern: 'old' });
    bench.engine.detach();
    return bench;
  }

  test('goes on: what did not arrive is sent again under its number, ids stand', () => {
    const bench = interrupted();
    bench.begin(SERIAL, { continues: true, received: 202, other: { ids: 5 } });
    // The declaration was 200, `a` 201.
    expect(bench.settled).toEqual(['a ok']);
    expect(briefs(bench.sent())).toEqual(['1=b@1#202', '1=c@1#203', 'unsubscribe']);
  });

  test('begins anew, with what had arrived known: the rest goes under new numbers, by name', () => {
    const bench = interrupted();
    bench.begin(SERIAL, { nextOut: 5000, received: 202, other: { ids: 5 } });
    expect(bench.settled).toEqual(['a ok']);
    expect(briefs(bench.sent())).toEqual(['unsubscribe', 'c=b@1#5001', 'c=c@1#5002']);
    bench.receive(ack(5003));
    expect(bench.settled).toEqual(['a ok', 'b ok', 'c ok']);
  });

  test('a new firmware that takes nothing reliable gets what was held at QoS 0', () => {
    const bench = new Bench('gateway').begin(UDP);
    bench.emit('a', 2);
    bench.engine.detach();
    bench.emit('b', 1);
    bench.begin(UDP, { other: { window: 0 } });
    expect(briefs(bench.sent())).toEqual(['c=a@0', 'c=b@0']);
    expect(bench.engine.pending).toBe(0);
  });

  test('the end settles all that waits', () => {
    const bench = interrupted();
    bench.engine.end('end_session');
    expect(bench.settled).toEqual(['a end_session', 'b end_session', 'c end_session']);
    expect(bench.engine.pending).toBe(0);
  });

  test('on TCP what was in flight is sent once more on the next connection, not before', () => {
    const bench = new Bench('peer').begin(TCP);
    bench.emit('a', 1);
    bench.sent();
    bench.now += 1_000_000;
    expect(bench.sent()).toEqual([]);
    expect(bench.engine.wakeAt()).toBeUndefined();
    bench.engine.detach();
    bench.begin(TCP, { continues: true, received: 200 });
    expect(briefs(bench.sent())).toEqual(['c=a@1#200']);
  });
});
