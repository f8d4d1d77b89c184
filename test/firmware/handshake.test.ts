import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { ascii, Bench, TOKEN } from './bench.js';

describeWithTools(['clang', 'wasm-ld'], 'the C client introduces itself', () => {
  it('sends HELLO as PROTOCOL.md §3.2 lays it out', () => {
    const bench = new Bench({ identity: 'uno-3', buffer: 64 });
    expect(bench.pass(1)).toEqual([
      `b0 01 00 01020304 00000000 0000 000f c0d102 40 04 04 00 00 05 ${ascii('uno-3')}`.replaceAll(' ', ''),
    ]);
  });

  it('announces no window when it only knows QoS 0', () => {
    const bench = new Bench({ identity: 'uno-3', buffer: 64, reliable: false });
    expect(bench.pass(1)[0]?.slice(30)).toBe(`c0d102400001000005${ascii('uno-3')}`);
  });

  it('announces its buffer without the CRC, and its ring, on a serial line', () => {
    const bench = new Bench({ framing: 'serial', buffer: 64, defines: { SLIPWAY_RECEIVE_RING: 63 } });
    expect(bench.pass(1)[0]).toContain(`c0d1023e04043f00`);
  });

  it('repeats HELLO after 250 ms, doubling to 8 s, give or take a quarter', () => {
    const bench = new Bench();
    bench.pass(1);
    for (const wanted of [256, 512, 1024, 2048, 4096, 8192, 8192]) {
      const { ms, sent } = bench.until(12_000);
      expect(sent).toHaveLength(1);
      expect(ms).toBeGreaterThanOrEqual(wanted * 0.75);
      expect(ms).toBeLessThanOrEqual(wanted * 1.25);
    }
  });

  it('sends HELLO at its first poll, whatever the clock says then', () => {
    for (const now of [1, 32_768, 40_000, 65_535, 0x7fff_ffff, 0xffff_fff0]) {
      const bench = new Bench();
      bench.skip(now);
      expect(bench.sent()).toHaveLength(1);
      // And on a connection that was made before the first poll.
      const stream = new Bench({ framing: 'stream' });
      stream.client.link(false);
      stream.client.link(true);
      stream.skip(now);
      expect(stream.sent()).toHaveLength(1);
    }
  });

  it('begins, repeats BEGIN until it is acknowledged, then stops', () => {
    const bench = new Bench();
    bench.pass(1);
    bench.welcome();
    // The sweep of §3.2 is the only wish of an empty table.
    expect(bench.pass(1)).toEqual([`f204${TOKEN}bb1000`]);
    expect(bench.client.connected).toBe(false);
    expect(bench.until(300)).toEqual({ ms: 250, sent: [`f204${TOKEN}bb1000`] });
    bench.give('b8 1000');
    expect(bench.client.connected).toBe(true);
    // The time is WELCOME's.
    expect(bench.client.events).toEqual([
      { event: 'time', reason: 0, id: 0 },
      { event: 'connected', reason: 0, id: 0 },
    ]);
    expect(bench.until(600).sent).toEqual(['bb1000']);
    bench.give('b8 1001');
    expect(bench.pass(9_000)).toEqual([]);
  });

  it('introduces itself again when nobody answers BEGIN', () => {
    const bench = new Bench();
    bench.pass(1);
    bench.welcome();
    const sent = bench.pass(30_000);
    expect(sent.slice(0, 6)).toEqual(Array(6).fill(`f204${TOKEN}bb1000`));
    expect(sent[6]).toMatch(/^b00100/);
    expect(sent[6]?.slice(14, 22)).toBe(TOKEN);
    expect(bench.client.events.at(-1)).toEqual({ event: 'lost', reason: 16, id: 0 });
  });

  it('ignores a WELCOME of another nonce, of another version, or when it did not ask', () => {
    const bench = new Bench();
    bench.pass(1);
    bench.welcome({ nonce: 'ffffffff' });
    expect(bench.pass(100)).toEqual([]);
    bench.connect();
    bench.welcome({ token: '11111111' });
    expect(bench.pass(100)).toEqual([]);
    bench.client.emit('a', 'x');
    expect(bench.sent()).toEqual([`840161${ascii('x')}`]);
  });

  it('ignores an ACK beyond what it sent', () => {
    const bench = new Bench();
    bench.pass(1);
    bench.welcome();
    bench.pass(1);
    for (const next of ['0fff', '1002', '9000']) bench.give(`b8 ${next}`);
    expect(bench.client.connected).toBe(false);
  });

  it('reports why HELLO was refused, and tries again at its slowest', () => {
    const bench = new Bench();
    bench.pass(1);
    bench.give('b3 05 b0');
    expect(bench.client.events).toEqual([{ event: 'refused', reason: 5, id: 0 }]);
    const { ms, sent } = bench.until(12_000);
    expect(sent[0]).toMatch(/^b0/);
    expect(ms).toBeGreaterThanOrEqual(6000);
    expect(ms).toBeLessThanOrEqual(10_240);
  });

  it('declares and subscribes all of its table, then sweeps', () => {
    const bench = new Bench({ slots: 2 });
    bench.client.declare('t');
    bench.client.subscribe('led', 1, { noLocal: true });
    bench.client.subscribe('a/+/b', 2, { noLastValue: true });
    bench.pass(1);
    bench.welcome();
    const begin = `f204${TOKEN}`;
    expect(bench.pass(1)).toEqual([`${begin}b9100001${ascii('t')}`, `${begin}ba10010502${ascii('led')}`]);
    bench.give('b8 1002');
    expect(bench.pass(1)).toEqual([`ba10020a00${ascii('a/+/b')}`, 'bb1003']);
  });

  it('asks one thing at a time with the small build, and again if there is no answer', () => {
    const bench = new Bench({ reliable: false });
    bench.client.declare('t');
    bench.client.subscribe('led');
    expect(bench.pass(1)[0]).toMatch(/^b00101/);
    bench.welcome();
    const begin = `f204${TOKEN}`;
    expect(bench.pass(1)).toEqual([`${begin}b9100001${ascii('t')}`]);
    bench.give('b8 1001');
    expect(bench.pass(1)).toEqual([`ba10010002${ascii('led')}`]);
    const { ms, sent } = bench.until(320);
    expect(sent).toEqual([`ba10010002${ascii('led')}`]);
    expect(ms).toBeGreaterThanOrEqual(250);
    bench.give('b8 1002');
    // Its HELLO was *clean*: there is nothing to sweep.
    expect(bench.pass(1000)).toEqual([]);
  });

  it('sends names instead of ids that the gateway does not take', () => {
    const bench = new Bench();
    const one = bench.client.declare('one');
    const two = bench.client.declare('two');
    bench.connect({ ids: '01' });
    bench.client.emit(one, 'x');
    bench.client.emit(two, 'x');
    expect(bench.sent()).toEqual([`8001${ascii('x')}`, `8403${ascii('two')}${ascii('x')}`]);
  });

  it('takes up a channel that is added, subscribed or unsubscribed later', () => {
    const bench = new Bench();
    bench.connect();
    const id = bench.client.subscribe('late');
    expect(bench.pass(1)).toEqual([`ba10010001${ascii('late')}`]);
    bench.give('b8 1002');
    bench.client.unsubscribe(id);
    expect(bench.pass(1)).toEqual([`bb1002${ascii('late')}`]);
  });

  it('returns at once when the gateway knows no session, and resumes', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    bench.give('b3 03 80');
    expect(bench.client.events).toEqual([{ event: 'lost', reason: 3, id: 0 }]);
    const [hello] = bench.pass(1);
    // The epoch that it holds, and the number that it expects.
    expect(hello?.slice(14, 26)).toBe(`${TOKEN}2000`);
    // The same epoch under its token, whatever became of earlier offers; another one is not what was asked for.
    bench.welcome({ flags: 7, token: '22222222', nextIn: 0x1002, received: 0x1002 });
    expect(bench.pass(1)).toEqual([]);
    bench.welcome({ flags: 7, nextIn: 0x1002, received: 0x1002 });
    expect(bench.pass(1)).toEqual([`f204${TOKEN}`]);
    bench.give('b8 1002');
    // Ids stand, nothing is declared again.
    expect(bench.pass(1000)).toEqual([]);
    bench.client.emit(id, 'x');
    expect(bench.sent()).toEqual([`8001${ascii('x')}`]);
  });

  it('declares and subscribes again when a restarted gateway has forgotten all', () => {
    for (const reliable of [true, false]) {
      const bench = new Bench({ reliable });
      const id = bench.client.declare('t');
      bench.client.subscribe('led');
      bench.connect();
      bench.give('b4 02');
      expect(bench.client.events).toEqual([{ event: 'lost', reason: 2, id: 0 }]);
      expect(bench.until(400).sent[0]?.slice(14, 22)).toBe(reliable ? TOKEN : '00000000');
      bench.welcome({ token: '22222222', nextIn: 0x3000 });
      bench.client.emit(id, 'x');
      expect(bench.sent()).toEqual([`f204222222228401${ascii('t')}${ascii('x')}`]);
      const again = bench.pass(1);
      expect(again[0]).toBe(`f20422222222b9300001${ascii('t')}`);
      bench.next = 0x3000;
      bench.ackAll(again);
      expect(bench.next).toBe(reliable ? 0x3003 : 0x3002);
      bench.client.emit(id, 'x');
      expect(bench.sent()).toEqual([`8001${ascii('x')}`]);
    }
  });

  it('asks whether the gateway is there, and leaves a silent one after three questions', () => {
    for (const reliable of [true, false]) {
      const bench = new Bench({ reliable });
      bench.connect();
      const first = bench.until(15_000);
      expect(first.sent).toEqual(['b500']);
      bench.give('b6 00');
      // An answer earns another full period.
      expect(bench.until(15_000)).toEqual({ ms: 11_520, sent: ['b500'] });
      expect(bench.until(2000)).toEqual({ ms: 1000, sent: ['b501'] });
      expect(bench.until(2000)).toEqual({ ms: 1000, sent: ['b502'] });
      const { sent } = bench.until(3000);
      expect(sent[0]).toMatch(/^b0/);
      expect(bench.client.events).toEqual([{ event: 'lost', reason: 16, id: 0 }]);
    }
  });

  it('keeps a keep-alive of minutes, and a clock that wraps meanwhile', () => {
    const bench = new Bench({ defines: { SLIPWAY_KEEP_ALIVE_S: 240 } });
    bench.now = 2 ** 32 - 100_000;
    bench.connect({ keepAlive: 240 });
    expect(bench.until(240_000).sent).toEqual(['b500']);
    bench.give('b6 00');
    expect(bench.until(240_000)).toEqual({ ms: 240 * 768, sent: ['b500'] });
    expect(bench.until(2000)).toEqual({ ms: 1000, sent: ['b501'] });
  });

  it('keeps to a shorter keep-alive that the gateway names', () => {
    const bench = new Bench();
    bench.connect({ keepAlive: 4 });
    expect(bench.until(15_000).ms).toBeLessThan(4000);
  });

  it('answers PING with its token', () => {
    const bench = new Bench();
    bench.connect();
    bench.give('b5 2a');
    expect(bench.pass(1)).toEqual(['b62a']);
    expect(bench.pass(1000)).toEqual([]);
  });

  it('answers PING once its line has room, with the latest token, and none of a session that is gone (§5.6)', () => {
    for (const reliable of [true, false]) {
      let room = 64;
      const bench = new Bench({ framing: 'serial', reliable, room: () => room });
      bench.connect();
      room = 3;
      bench.give('b5 2a');
      bench.give('b5 2b');
      expect(bench.pass(100)).toEqual([]);
      room = 64;
      expect(bench.pass(100)).toEqual(['b62b']);
      room = 3;
      bench.give('b5 2c');
      bench.give('b4 02');
      room = 64;
      expect(bench.pass(1)[0]).toMatch(/^b0/);
      bench.welcome({ token: '22222222' });
      expect(bench.pass(100).filter((packet) => packet.includes('b62c'))).toEqual([]);
    }
  });

  it('is silent while its link is down, and goes on where it was', () => {
    const bench = new Bench({ framing: 'stream' });
    bench.connect();
    bench.client.link(false);
    expect(bench.pass(60_000)).toEqual([]);
    bench.client.link(true);
    expect(bench.pass(1)[0]?.slice(14, 26)).toBe(`${TOKEN}2000`);
  });

  it('takes no ACK for the answer to a BEGIN that has not left: on TCP nothing else is sent again', () => {
    const bench = new Bench({ framing: 'stream' });
    bench.connect();
    bench.client.link(true);
    bench.pass(1);
    bench.welcome({ flags: 7, nextIn: bench.next, nextOut: 0x2000, received: bench.next });
    // What the gateway had said before it got the HELLO.
    bench.ack();
    expect(bench.client.connected).toBe(false);
    expect(bench.pass(1)).toEqual([`f204${TOKEN}`]);
    bench.ack();
    expect(bench.client.connected).toBe(true);
  });

  it('proves its address with the cookie, at once and from then on (§4.2)', () => {
    const bench = new Bench();
    const [hello] = bench.pass(1);
    bench.give('b3 13 b0 c0c1c2c3');
    expect(bench.until(2)).toEqual({ ms: 1, sent: [`${hello}0104c0c1c2c3`] });
    // Another one waits for the timer: a gateway, or whoever speaks in its name, sets no pace.
    bench.give('b3 13 b0 d0d1d2d3');
    const { ms, sent } = bench.until(600);
    expect(sent).toEqual([`${hello}0104d0d1d2d3`]);
    expect(ms).toBeGreaterThanOrEqual(190);
    bench.welcome();
    bench.next = 0x1000;
    bench.ackAll(bench.pass(1));
    expect(bench.client.events.at(-1)).toEqual({ event: 'connected', reason: 0, id: 0 });
    bench.give('b4 02');
    expect(bench.pass(1)[0]).toMatch(/0104d0d1d2d3$/);
    // That one has expired.
    bench.give('b3 13 b0 e0e1e2e3');
    expect(bench.pass(1)[0]).toMatch(/0104e0e1e2e3$/);
  });

  it('takes prove_address without a cookie for a refusal like another', () => {
    const bench = new Bench();
    bench.pass(1);
    bench.give('b3 13 b0 c0c1c2');
    expect(bench.client.events).toEqual([{ event: 'refused', reason: 19, id: 0 }]);
    expect(bench.until(3000).sent).toEqual([]);
  });

  it('says BYE when it leaves', () => {
    const bench = new Bench();
    bench.connect();
    bench.client.leave(true);
    expect(bench.sent()).toEqual(['b401']);
    expect(bench.pass(20_000)).toEqual([]);
  });
});
