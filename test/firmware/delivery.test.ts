import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { ascii, Bench, TOKEN } from './bench.js';

const RELIABLE = { qos: 1 };

describeWithTools(['clang', 'wasm-ld'], 'the C client emits', () => {
  it('by id what is declared, by name what is not, at QoS 0', () => {
    for (const reliable of [true, false]) {
      const bench = new Bench({ reliable });
      const id = bench.client.declare('t');
      bench.connect();
      expect(bench.client.emit(id, '21.5')).toBe('ok');
      expect(bench.client.emit(id, '', { retain: true })).toBe('ok');
      expect(bench.client.emit('u/v', '1')).toBe('ok');
      expect(bench.client.emit(0, 'all')).toBe('ok');
      expect(bench.sent()).toEqual([
        `8001${ascii('21.5')}`,
        '8801',
        `8403${ascii('u/v')}31`,
        `8000${ascii('all')}`,
      ]);
    }
  });

  it('tells at once what cannot be sent', () => {
    const bench = new Bench({ slots: 2 });
    const id = bench.client.declare('t');
    expect(bench.client.emit(id, 'x')).toBe('not_connected');
    expect(bench.client.emit(9, 'x')).toBe('invalid');
    expect(bench.client.emit(id, 'x', { qos: 3 })).toBe('invalid');
    expect(bench.client.emit('t', 'x', RELIABLE)).toBe('invalid');
    bench.connect({ maxPacket: '30' });
    expect(bench.client.emit(id, new Uint8Array(46))).toBe('ok');
    expect(bench.client.emit(id, new Uint8Array(47))).toBe('too_large');
    expect(bench.client.emit(id, new Uint8Array(33), RELIABLE)).toBe('too_large');
    expect(bench.client.emit(id, new Uint8Array(60_000))).toBe('too_large');
    const small = new Bench({ reliable: false });
    const only = small.client.declare('t');
    small.connect();
    expect(small.client.emit(only, 'x', RELIABLE)).toBe('invalid');
  });

  it('numbers reliable messages, keeps the window, and goes on as it is acknowledged', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    const payloads = ['a', 'b', 'c', 'd'];
    expect(payloads.map((payload) => bench.client.emit(id, payload, { qos: 2 }))).toEqual(
      Array(4).fill('ok'),
    );
    expect(bench.client.emit(id, 'e', RELIABLE)).toBe('full');
    expect(bench.sent()).toEqual(payloads.map((payload, i) => `a0100${2 + i}01${ascii(payload)}`));
    bench.give('b8 1004');
    expect(bench.client.emit(id, 'e', RELIABLE)).toBe('ok');
    expect(bench.sent()).toEqual([`90100601${ascii('e')}`]);
  });

  it('does not exceed the window of the gateway', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect({ window: '02' });
    for (const payload of ['a', 'b', 'c']) bench.client.emit(id, payload, RELIABLE);
    expect(bench.sent()).toHaveLength(2);
    bench.give('b8 1003');
    expect(bench.pass(1)).toEqual([`90100401${ascii('c')}`]);
  });

  it('resends the oldest when its time has run out, each time after twice as long', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    bench.client.emit(id, 'a', RELIABLE);
    bench.client.emit(id, 'b', RELIABLE);
    bench.sent();
    const first = bench.until(300);
    expect(first.sent).toEqual([`90100201${ascii('a')}`]);
    const second = bench.until(700);
    expect(second.sent).toEqual(first.sent);
    expect(second.ms).toBe(first.ms * 2);
    expect(bench.client.counter('resends')).toBe(2);
  });

  it('learns the round trip', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    for (let i = 0; i < 40; i++) {
      bench.client.emit(id, 'a', RELIABLE);
      bench.pass(5);
      bench.next++;
      bench.ack();
    }
    bench.client.emit(id, 'a', RELIABLE);
    bench.sent();
    const { ms } = bench.until(300);
    expect(ms).toBeGreaterThanOrEqual(30);
    expect(ms).toBeLessThanOrEqual(60);
  });

  it('resends once at once when an ACK on a serial line shows a gap', () => {
    const bench = new Bench({ framing: 'serial' });
    const id = bench.client.declare('t');
    bench.connect();
    for (const payload of ['a', 'b', 'c']) bench.client.emit(id, payload, RELIABLE);
    bench.sent();
    bench.give('b8 1002 01');
    bench.give('b8 1002 03');
    expect(bench.pass(2)).toEqual([`90100201${ascii('a')}`]);
    bench.give('b8 1005');
    expect(bench.pass(1000)).toEqual([]);
  });

  it('waits a little with datagrams, which may overtake each other, unless three did', () => {
    for (const [bitmap, most] of [
      ['01', 40],
      ['07', 1],
    ] as const) {
      const bench = new Bench();
      const id = bench.client.declare('t');
      bench.connect();
      for (const payload of ['a', 'b', 'c', 'd']) bench.client.emit(id, payload, RELIABLE);
      bench.sent();
      bench.ack(bitmap);
      const { ms, sent } = bench.until(100);
      expect(sent).toEqual([`90100201${ascii('a')}`]);
      expect(ms).toBeLessThanOrEqual(most);
      expect(ms > 1).toBe(most > 1);
    }
  });

  it('refuses what is larger than the gateway takes, by whatever way it got into the window, and goes on', () => {
    for (const reliable of [true, false]) {
      const bench = new Bench({ reliable });
      const long = bench.client.declare('x'.repeat(70));
      const id = bench.client.declare('t');
      bench.pass(1);
      bench.welcome({ maxPacket: '40' });
      bench.next = 0x1000;
      for (let i = 0; i < 5; i++) bench.ackAll(bench.pass(1));
      expect(bench.client.events).toContainEqual({ event: 'refused', reason: 8, id: long });
      expect(bench.client.pending).toBe(0);
      bench.client.events.splice(0);
      if (reliable) {
        expect(bench.client.emit(long, 'a', RELIABLE)).toBe('ok');
        expect(bench.client.events).toEqual([{ event: 'refused', reason: 8, id: long }]);
      }
      bench.ackAll(bench.pass(1));
      expect(bench.client.emit(id, 'b')).toBe('ok');
      expect(bench.sent()).toEqual([`8002${ascii('b')}`]);
    }
  });

  it('does not take for too large what is so only beside BEGIN or an acknowledgement', () => {
    const bench = new Bench();
    const id = bench.client.subscribe('twelve bytes', 1);
    bench.pass(1);
    // As many bytes as the gateway takes, under the channel's name; and it declares none.
    bench.client.emit(id, '.'.repeat(32), RELIABLE);
    bench.welcome({ maxPacket: '30', ids: '00' });
    bench.next = 0x1000;
    bench.ackAll(bench.pass(1));
    expect(bench.client.pending).toBe(0);
    bench.client.emit(id, ','.repeat(32), RELIABLE);
    bench.give(`94 2000 0c ${ascii('twelve bytes')} 31`);
    bench.ackAll(bench.sent());
    bench.ackAll(bench.pass(30));
    expect(bench.client.pending).toBe(0);
    expect(bench.client.events.filter(({ event }) => event === 'refused')).toEqual([]);
  });

  it('resends nothing on a connection', () => {
    const bench = new Bench({ framing: 'stream' });
    const id = bench.client.declare('t');
    bench.connect();
    bench.client.emit(id, 'a', RELIABLE);
    bench.sent();
    expect(bench.pass(10_000)).toEqual([]);
  });

  it('ends an epoch in which one message never arrives though the gateway answers', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    bench.client.emit(id, 'a', RELIABLE);
    bench.sent();
    const sent: string[] = [];
    while (!sent.includes('b40e') && bench.now < 200_000) {
      const now = bench.pass(1);
      sent.push(...now);
      // The gateway is there, and says so.
      if (now.length) bench.give('b6 00');
    }
    expect(sent.filter((packet) => packet.startsWith('90'))).toHaveLength(10);
    expect(bench.client.events).toEqual([{ event: 'lost', reason: 14, id: 0 }]);
    // The epoch is named still, so that the gateway can tell what arrived under it (PROTOCOL.md §5.4); it begins another.
    expect(bench.until(1000).sent[0]?.slice(14, 22)).toBe('89abcdef');
    bench.welcome({ token: '22222222', nextIn: 0x9000 });
    expect(bench.pass(1)[0]).toBe(`f20422222222949000${'01'}${ascii('t')}${ascii('a')}`);
  });

  it('keeps the epoch when the gateway is merely silent, and resends at least once a second on a serial line', () => {
    const bench = new Bench({ framing: 'serial' });
    const id = bench.client.declare('t');
    bench.connect();
    bench.client.emit(id, 'a', RELIABLE);
    bench.sent();
    let longest = 0;
    let hello: string | undefined;
    while (!hello && bench.now < 60_000) {
      const { ms, sent } = bench.until(5000);
      longest = Math.max(longest, ms);
      expect(sent).not.toContain('b40e');
      hello = sent.find((packet) => packet.startsWith('b0'));
    }
    expect(longest).toBeLessThanOrEqual(1024);
    expect(hello?.slice(14, 22)).toBe(TOKEN);
    expect(bench.client.events).toEqual([{ event: 'lost', reason: 16, id: 0 }]);
  });

  it('takes reliable messages before there is a gateway, keeping a place for its own needs', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    for (const payload of ['a', 'b', 'c'])
      expect(bench.client.emit(id, payload, RELIABLE), payload).toBe('ok');
    expect(bench.client.emit(id, 'd', RELIABLE)).toBe('full');
    bench.pass(1);
    bench.welcome();
    const begin = `f204${TOKEN}`;
    expect(bench.pass(1)).toEqual([
      ...['a', 'b', 'c'].map((payload, i) => `${begin}94100${i}01${ascii('t')}${ascii(payload)}`),
      `${begin}b9100301${ascii('t')}`,
    ]);
  });

  it('after an absence drops what had arrived and renumbers the rest (§4.3, known)', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    for (const payload of ['a', 'b', 'c']) bench.client.emit(id, payload, { qos: 2 });
    bench.give('b3 03 80');
    bench.pass(1);
    bench.welcome({ flags: 4, token: '22222222', nextIn: 0x9002, received: 0x1004 });
    expect(bench.pass(1)[0]).toBe(`f20422222222a4900201${ascii('t')}${ascii('c')}`);
  });

  it('after an absence goes on with the numbering where it stands (§4.3, continues)', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    for (const payload of ['a', 'b', 'c']) bench.client.emit(id, payload, { qos: 2 });
    bench.give('b3 03 80');
    bench.pass(1);
    bench.welcome({ flags: 7, nextIn: 0x1004, received: 0x1004 });
    expect(bench.pass(1)).toEqual([`f204${TOKEN}a0100401${ascii('c')}`]);
  });

  it('sends all again on a new link that is not acknowledged, also what a bitmap had shown (§5.3)', () => {
    for (const framing of ['datagram', 'serial', 'stream'] as const) {
      const bench = new Bench({ framing });
      const id = bench.client.declare('t');
      bench.connect();
      for (const payload of ['a', 'b', 'c']) bench.client.emit(id, payload, { qos: 2 });
      // The gateway has b and c, out of order, and is killed: its store holds what it took, up to a.
      bench.give('b8 1002 03');
      bench.give('b3 03 80');
      bench.pass(1);
      bench.sent();
      bench.welcome({ flags: 7, nextIn: 0x1002, received: 0x1002 });
      const again = bench.pass(1);
      expect(again, framing).toEqual(
        ['a', 'b', 'c'].map((payload, i) => `f204${TOKEN}a0100${2 + i}01${ascii(payload)}`),
      );
      bench.give('b8 1005');
      expect(bench.client.pending, framing).toBe(0);
    }
  });

  it('counts as arrived what the gateway got before the resume before this one (§4.3, known)', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    for (const payload of ['a', 'b', 'c']) bench.client.emit(id, payload, { qos: 2 });
    bench.give('b3 03 80');
    bench.pass(1);
    // Resumed, and lost again before anything was sent; what was late on its way has arrived meanwhile.
    bench.welcome({ flags: 7, nextIn: 0x1002, received: 0x1002 });
    bench.give('b3 03 80');
    bench.pass(1);
    bench.sent();
    bench.welcome({ flags: 4, token: '22222222', nextIn: 0x9002, received: 0x1004 });
    expect(bench.pass(1)[0]).toBe(`f20422222222a4900201${ascii('t')}${ascii('c')}`);
  });

  it('does not send again what was taken behind a refused message (§4.3, taken)', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    for (const payload of ['a', 'b', 'c']) bench.client.emit(id, payload, { qos: 2 });
    bench.give('b3 03 80');
    bench.pass(1);
    // a was 1002, and refused; b was taken, c not.
    bench.welcome({ flags: 4, token: '22222222', nextIn: 0x9002, received: 0x1002, options: '02 01 01' });
    const begin = 'f20422222222';
    expect(bench.pass(1).slice(0, 3)).toEqual([
      `${begin}a4900201${ascii('t')}${ascii('a')}`,
      `${begin}bb9003`,
      `${begin}a4900401${ascii('t')}${ascii('c')}`,
    ]);
  });

  it('does not act twice on one WELCOME', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    bench.client.emit(id, 'a', RELIABLE);
    bench.give('b4 02');
    bench.pass(1000);
    bench.welcome({ flags: 0 });
    expect(bench.pass(10).some((packet) => packet.startsWith('f2'))).toBe(false);
  });

  it('reports a REJECT, acknowledges it, and treats the message as done', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    bench.client.emit(id, 'a', RELIABLE);
    bench.client.emit(id, 'b', RELIABLE);
    bench.sent();
    bench.give('bc 2000 1002 0d');
    expect(bench.client.events).toEqual([{ event: 'refused', reason: 13, id }]);
    expect(bench.until(20).sent).toEqual(['b82001']);
    bench.give('b8 1004');
    expect(bench.pass(1000)).toEqual([]);
  });

  it('sends an idle sweep under the number of a rejected message in a new epoch', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    bench.client.emit(id, 'a', RELIABLE);
    bench.client.emit(id, 'b', RELIABLE);
    bench.give('bc 2000 1002 0d');
    bench.give('b3 03 80');
    bench.pass(30);
    bench.welcome({ token: '22222222', nextIn: 0x9000 });
    const begin = 'f20422222222';
    expect(bench.pass(1).slice(0, 2)).toEqual([
      `${begin}bb9000`,
      `${begin}94900101${ascii('t')}${ascii('b')}`,
    ]);
  });

  it('gives up a declaration that is refused, and sends the name', () => {
    for (const reliable of [true, false]) {
      const bench = new Bench({ reliable });
      const id = bench.client.declare('t');
      bench.pass(1);
      bench.welcome();
      bench.pass(1);
      bench.give(reliable ? 'bc 2000 1000 0c' : 'f3 04 0c b9 1000 b8 1001');
      bench.next = 0x1001;
      bench.ackAll();
      expect(bench.client.events).toContainEqual({ event: 'refused', reason: 12, id });
      bench.pass(30);
      bench.client.emit(id, 'x');
      expect(bench.sent()).toEqual([`8401${ascii('t')}${ascii('x')}`]);
    }
  });

  it('reports the refusal of an emit of QoS 0, with its id if it had one', () => {
    const bench = new Bench();
    bench.connect();
    bench.give('b3 0a 80 05');
    bench.give('b3 07 84 02 24 61');
    expect(bench.client.events).toEqual([
      { event: 'refused', reason: 10, id: 5 },
      { event: 'refused', reason: 7, id: 0 },
    ]);
  });

  it('writes no more than there is room for, whatever has to be escaped', () => {
    let room = 255;
    const bench = new Bench({ framing: 'serial', room: () => room });
    bench.client.declare('t');
    const seen = new Set<string>();
    bench.pass(1);
    bench.welcome({ token: 'c0c0c0c0', nextOut: 0xc0c0 });
    bench.pass(1);
    for (const state of ['beginning', 'ready']) {
      if (state === 'ready') bench.ackAll();
      for (const acknowledging of [false, true]) {
        for (let length = 0; length <= 30; length++) {
          for (room = 1; room <= 100; room += 3) {
            if (acknowledging) bench.give('90 c0c1 01');
            const result = bench.client.emit(0, new Uint8Array(length).fill(0xc0));
            const written = bench.client.take().reduce((sum, frame) => sum + frame.length, 0);
            expect(written).toBeLessThanOrEqual(room);
            expect(result).toBe(written > 0 ? 'ok' : 'busy');
            seen.add(`${state} ${acknowledging} ${result}`);
          }
        }
      }
      room = 255;
    }
    expect(seen.size).toBe(8);
  });

  it('does not begin a frame that does not fit the line, and sends it later', () => {
    let room = 64;
    const bench = new Bench({ framing: 'serial', room: () => room });
    const id = bench.client.declare('t');
    bench.connect();
    // Ten bytes, if both of its CRC must be escaped.
    room = 9;
    expect(bench.client.emit(id, 'aa')).toBe('busy');
    room = 7;
    expect(bench.client.emit(id, 'a', RELIABLE)).toBe('ok');
    expect(bench.pass(10)).toEqual([]);
    room = 10;
    expect(bench.client.emit(id, 'aa')).toBe('ok');
    room = 64;
    expect(bench.pass(1)).toEqual([`8001${ascii('aa')}`, `90100201${ascii('a')}`]);
    // Larger than the line ever takes: only when it is empty.
    room = 63;
    expect(bench.client.emit(id, new Uint8Array(80))).toBe('busy');
    room = 64;
    expect(bench.client.emit(id, new Uint8Array(80))).toBe('ok');
  });

  it('unsubscribes what it subscribed, also before that was acknowledged', () => {
    const bench = new Bench();
    const id = bench.client.subscribe('led');
    bench.pass(1);
    bench.welcome();
    bench.pass(1);
    bench.client.unsubscribe(id);
    expect(bench.pass(1)).toEqual([`f204${TOKEN}bb1002${ascii('led')}`]);
    bench.give('b8 1003');
    bench.client.emit(id, 'x');
    expect(bench.sent()).toEqual([`8001${ascii('x')}`]);
    expect(bench.pass(1000)).toEqual([]);
  });

  it('asks for nothing that it could get, when a subscription is sent again that it has dropped meanwhile', () => {
    const bench = new Bench();
    const id = bench.client.subscribe('led', 2, { noLocal: true });
    bench.pass(1);
    bench.welcome();
    const subscribe = `f204${TOKEN}ba10000601${ascii('led')}`;
    expect(bench.pass(1)).toContain(subscribe);
    bench.client.unsubscribe(id);
    // Neither its own emits nor a last value.
    expect(bench.pass(1000)).toContain(subscribe.replace('ba100006', 'ba10000d'));
  });

  it('one-shots without a session', () => {
    const bench = new Bench();
    expect(Buffer.from(bench.client.oneShot('cellar', '12.5') ?? []).toString('hex')).toBe(
      `8406${ascii('cellar')}${ascii('12.5')}`,
    );
    expect(bench.client.oneShot('a', '', { retain: true })).toEqual(Uint8Array.of(0x8c, 1, 0x61));
    expect(bench.client.oneShot('', 'x')).toBeUndefined();
    expect(bench.client.oneShot('a'.repeat(256), 'x')).toBeUndefined();
    expect(bench.client.oneShot('abc', 'def', { capacity: 7 })).toBeUndefined();
    expect(bench.client.oneShot('abc', 'def', { capacity: 8 })).toHaveLength(8);
  });
});
