import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { ascii, Bench, bytes, frame, SMALLEST, TOKEN } from './bench.js';

describeWithTools(['clang', 'wasm-ld'], 'the smallest build of the C client', () => {
  const make = () => new Bench({ framing: 'serial', reliable: false, buffer: 64, defines: SMALLEST });

  function ready() {
    const bench = make();
    const temperature = bench.client.declare('t');
    const led = bench.client.subscribe('led');
    bench.connect();
    expect([temperature, led, bench.client.connected]).toEqual([1, 2, true]);
    return bench;
  }

  const texts = (bench: Bench) => bench.client.received.splice(0).map(({ text }) => text);

  it('introduces itself, asks for one thing at a time, emits and receives', () => {
    const bench = make();
    const temperature = bench.client.declare('t');
    bench.client.subscribe('led');
    expect(bench.pass(1)).toEqual([
      `b0 01 01 01020304 00000000 0000 000f c0d102 3e 00 01 3f 00 05 ${ascii('board')}`.replaceAll(' ', ''),
    ]);
    bench.welcome();
    const begin = `f204${TOKEN}`;
    expect(bench.pass(1)).toEqual([`${begin}b9100001${ascii('t')}`]);
    expect(bench.client.emit(temperature, '1')).toBe('ok');
    expect(bench.sent()).toEqual([`${begin}8401${ascii('t')}31`]);
    bench.give('b8 1001');
    expect(bench.pass(1)).toEqual([`ba10010002${ascii('led')}`]);
    bench.give('b8 1002');
    expect(bench.pass(1000)).toEqual([]);
    expect(bench.client.emit(temperature, '21.5', { retain: true })).toBe('ok');
    expect(bench.sent()).toEqual([`8801${ascii('21.5')}`]);
    bench.give(`8002${ascii('on')}`);
    bench.give(`8200${ascii('all')}`);
    expect(bench.client.received.map(({ text, claimed }) => [text, claimed])).toEqual([
      ['on', true],
      ['all', false],
    ]);
  });

  it('repeats HELLO after 250 ms, doubling to 8 s, give or take a quarter', () => {
    const bench = make();
    bench.pass(1);
    for (const wanted of [256, 512, 1024, 2048, 4096, 8192, 8192]) {
      const { ms, sent } = bench.until(12_000);
      expect(sent).toHaveLength(1);
      expect(ms).toBeGreaterThanOrEqual(wanted * 0.75);
      expect(ms).toBeLessThanOrEqual(wanted * 1.25);
    }
  });

  it('asks again within a second, and returns to HELLO when BEGIN stays unanswered', () => {
    const bench = make();
    bench.client.declare('t');
    bench.pass(1);
    bench.welcome();
    const asked = bench.pass(1);
    let again = bench.until(2000);
    for (let i = 0; i < 5; i++) {
      expect(again.sent).toEqual(asked);
      expect(again.ms).toBeGreaterThanOrEqual(190);
      expect(again.ms).toBeLessThanOrEqual(1000);
      again = bench.until(2000);
    }
    expect(again.sent[0]).toMatch(/^b0/);
  });

  it('keeps the line alive, and leaves a silent gateway after three questions', () => {
    const bench = ready();
    for (let i = 0; i < 3; i++) {
      const { ms, sent } = bench.until(15_000);
      expect(sent).toEqual(['b500']);
      expect(ms).toBeGreaterThan(11_000);
      expect(ms).toBeLessThan(12_000);
      bench.give('b6 00');
    }
    bench.until(15_000);
    expect(bench.until(1100).sent).toEqual(['b501']);
    expect(bench.until(1100).sent).toEqual(['b502']);
    expect(bench.until(1100).sent[0]).toMatch(/^b0/);
    expect(bench.client.connected).toBe(false);
  });

  it('begins anew when the gateway leaves or knows no session, slowly when it is refused', () => {
    for (const farewell of ['b4 02', 'b3 03 80']) {
      const bench = ready();
      bench.give(farewell);
      expect(bench.pass(1)[0]).toMatch(/^b0/);
      bench.give('b3 05 b0');
      expect(bench.until(12_000).ms).toBeGreaterThan(6000);
      bench.welcome({ token: '22222222', nextIn: 0x3000 });
      expect(bench.pass(1)[0]).toBe(`f20422222222b9300001${ascii('t')}`);
    }
  });

  it('sends the name of what was refused an id', () => {
    const bench = make();
    const id = bench.client.declare('t');
    bench.pass(1);
    bench.welcome();
    bench.pass(1);
    bench.give('f3 04 0c b9 0fff b8 1000');
    bench.give('f3 04 0c b9 1000 b8 1001');
    bench.client.emit(id, 'x');
    expect(bench.sent()).toEqual([`8401${ascii('t')}78`]);
  });

  it('answers PING, takes packets of many messages, and passes over what comes by name', () => {
    const bench = ready();
    bench.give(`c003 02 ${ascii('on')} f5 01 07 c405 03 ${ascii('led')} 31 c0 29 02 ${'32'.repeat(40)}`);
    expect(bench.pass(1)).toEqual(['b607']);
    expect(texts(bench)).toEqual(['on', '2'.repeat(40)]);
  });

  it('takes messages as long as its packets can be', () => {
    const bench = new Bench({ framing: 'serial', reliable: false, buffer: 255, defines: SMALLEST });
    bench.client.subscribe('led');
    bench.connect();
    for (const [length, size] of [
      ['7f', 127],
      ['8001', 128],
      ['fa01', 250],
    ] as const) {
      const text = (size - 1)
        .toString(16)
        .padStart(2, '0')
        .repeat(size - 1);
      bench.give(`c0 ${length} 01 ${text}`);
      expect(bench.client.received.splice(0).map(({ payload }) => payload.length)).toEqual([size - 1]);
    }
    bench.give(`80 01 ${'31'.repeat(251)}`);
    expect(texts(bench)).toEqual(['1'.repeat(251)]);
    for (const packet of [`c0 ff01 01 ${'31'.repeat(250)}`, `c0 8002 01 ${'31'.repeat(250)}`])
      bench.give(packet);
    expect(texts(bench)).toEqual([]);
  });

  it('acts on nothing in a packet that is cut short, too long, or not meant for it', () => {
    for (const packet of [
      'c0 04 02 6f6e',
      'c0 03 02 6f6e c0',
      'c0 03 02 6f6e c0 80',
      'c0 03 02 6f6e c0 8000 02',
      'c0 03 02 6f6e 80',
      'c0 03 02 6f6e 80 82',
      'c0 03 02 6f6e b8 10',
      'c0 03 02 6f6e b3 03',
      'c0 03 02 6f6e b4',
      'c0 03 02 6f6e b5',
      'c0 03 02 6f6e b1 01 00',
      'c0 03 02 6f6e 90 0000 02 31',
      'c0 03 02 6f6e 81 02 31',
      '41 31',
    ]) {
      const bench = ready();
      bench.give(packet);
      expect(texts(bench), packet).toEqual([]);
      expect(bench.client.connected, packet).toBe(true);
      expect(bench.pass(100), packet).toEqual([]);
    }
  });

  it('outlives noise, bad escapes and frames larger than its buffer', () => {
    const bench = ready();
    const good = frame(bytes('800231'));
    for (const noise of [
      '00 ff 41',
      'c0 80 02 31 00 00 c0',
      'c0 db 00 c0',
      'c0 db c0',
      `c0 ${'41'.repeat(90)} c0`,
    ]) {
      bench.client.receive(bytes(noise));
      bench.client.receive(good);
      expect(texts(bench), noise).toEqual(['1']);
    }
    bench.client.receive(frame(bytes(`80 02 ${'31'.repeat(60)}`)));
    expect(texts(bench)).toEqual(['1'.repeat(60)]);
  });
});
