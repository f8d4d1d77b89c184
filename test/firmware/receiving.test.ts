import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { ascii, Bench, bytes, frame, hex } from './bench.js';

describeWithTools(['clang', 'wasm-ld'], 'the C client receives', () => {
  function board(options: ConstructorParameters<typeof Bench>[0] = {}) {
    const bench = new Bench(options);
    const led = bench.client.subscribe('led', 2);
    bench.client.subscribe('a/+/c', 2);
    bench.client.subscribe('deep/#', 2);
    const quiet = bench.client.declare('deep/quiet');
    bench.connect();
    return { bench, led, quiet, texts: () => bench.client.received.splice(0).map(({ text }) => text) };
  }

  it('by id, by name, by pattern, and broadcasts', () => {
    for (const reliable of [true, false]) {
      const { bench, led, quiet } = board({ reliable });
      bench.give(`800${led} ${ascii('on')}`);
      bench.give(`8c 05 ${ascii('a/b/c')} ${ascii('1')}`);
      bench.give(`84 04 ${ascii('deep')} ${ascii('2')}`);
      // Under an id whose entry has no handler, for a pattern that has one.
      bench.give(`800${quiet} ${ascii('3')}`);
      bench.give(`82 00 ${ascii('all')}`);
      bench.give(`84 01 ${ascii('?')} ${ascii('4')}`);
      bench.give(`80 63 ${ascii('5')}`);
      expect(
        bench.client.received.map(({ channel, text, broadcast, retained }) => [
          channel,
          text,
          broadcast,
          retained,
        ]),
      ).toEqual([
        ['led', 'on', false, false],
        ['a/b/c', '1', false, true],
        ['deep', '2', false, false],
        ['deep/quiet', '3', false, false],
        [undefined, 'all', true, false],
        ['?', '4', false, false],
        [undefined, '5', false, false],
      ]);
    }
  });

  it('by id, and by its very name, when built without patterns', () => {
    const bench = new Bench({ defines: { SLIPWAY_WITH_PATTERNS: 0 } });
    const led = bench.client.subscribe('led', 1);
    bench.connect();
    bench.give(`800${led} ${ascii('on')}`);
    bench.give(`84 03 ${ascii('led')} ${ascii('off')}`);
    bench.give(`84 03 ${ascii('lee')} ${ascii('?')}`);
    bench.give(`84 02 ${ascii('le')} ${ascii('?')}`);
    expect(bench.client.received.map(({ text, claimed }) => [text, claimed])).toEqual([
      ['on', true],
      ['off', true],
      ['?', false],
      ['?', false],
    ]);
  });

  it('matches patterns by the rules of §6.2', () => {
    const cases: [pattern: string, name: string, fits: boolean][] = [
      ['a', 'a', true],
      ['a', 'ab', false],
      ['ab', 'a', false],
      ['+', 'a', true],
      ['+', 'a/b', false],
      ['+', '$a', false],
      ['#', 'a/b/c', true],
      ['#', '$slipway/stats', false],
      ['$slipway/#', '$slipway/stats', true],
      ['a/+/c', 'a//c', true],
      ['a/+/c', 'a/b/d', false],
      ['a/+', 'a', false],
      ['a/+', 'a/', true],
      ['a/#', 'a', true],
      ['a/#', 'ab', false],
      ['+/#', 'a', true],
      ['+/+', 'a/b', true],
      ['+/b/#', 'a/b/c/d', true],
      ['+/$a', 'x/$a', true],
    ];
    for (const [pattern, name, fits] of cases) {
      const bench = new Bench();
      bench.client.subscribe(pattern);
      bench.connect();
      bench.give(`84 ${name.length.toString(16).padStart(2, '0')} ${ascii(name)} 31`);
      expect(bench.client.received[0]?.claimed, `${pattern} ${name}`).toBe(fits);
    }
  });

  it('acknowledges within 20 ms, two at once, and with what it sends anyway', () => {
    const { bench, led, texts } = board();
    bench.give(`90 2000 0${led} ${ascii('a')}`);
    const one = bench.until(25);
    expect(one.sent).toEqual(['b82001']);
    expect(one.ms).toBeLessThanOrEqual(20);
    bench.give(`90 2001 0${led} ${ascii('b')}`);
    bench.give(`a0 2002 0${led} ${ascii('c')}`);
    expect(bench.pass(1)).toEqual(['b82003']);
    bench.give(`90 2003 0${led} ${ascii('d')}`);
    bench.client.emit('x', 'y');
    expect(bench.sent()).toEqual([`f8022004840178${ascii('y')}`]);
    expect(bench.pass(100)).toEqual([]);
    expect(texts()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('drops duplicates and what comes too early, and says at once what it expects', () => {
    const { bench, led, texts } = board();
    const emit = (seq: string) => bench.give(`90 ${seq} 0${led} ${ascii(seq)}`);
    emit('2000');
    bench.pass(25);
    emit('2000');
    expect(bench.pass(1)).toEqual(['b82001']);
    emit('2002');
    expect(bench.pass(1)).toEqual(['b8200100']);
    emit('2001');
    emit('2002');
    expect(bench.pass(1)).toEqual(['b82003']);
    // Beyond the window.
    emit('2007');
    expect(bench.pass(50)).toEqual([]);
    expect(texts()).toEqual(['2000', '2001', '2002']);
    expect(bench.client.counters).toMatchObject({ duplicates: 1, gaps: 2 });
  });

  it('delivers across the wrap of the numbers', () => {
    const bench = new Bench();
    bench.client.subscribe('t', 1);
    bench.connect({ nextOut: 0xfffe });
    for (const seq of ['fffe', 'ffff', '0000', '0001']) bench.give(`90 ${seq} 01 31`);
    expect(bench.client.received).toHaveLength(4);
    expect(bench.pass(1)).toEqual(['b80002']);
  });

  it('takes a packet of many messages whole, or not at all', () => {
    const { bench, led, texts } = board();
    bench.give(`c0 03 0${led} ${ascii('on')} f5 01 07 80 0${led} ${ascii('off')}`);
    expect(texts()).toEqual(['on', 'off']);
    expect(bench.pass(1)).toEqual(['b607']);
    bench.give(`c0 03 0${led} ${ascii('on')} f5 02 07 80 0${led} ${ascii('off')}`);
    expect(texts()).toEqual([]);
    expect(bench.client.counter('malformed')).toBe(1);
  });

  it('refuses what only a later version could send, and drops it with its packet (§10)', () => {
    const { bench, texts } = board();
    bench.give('bf 07 01');
    bench.give('f5 01 09 81 01 31');
    expect(bench.sent()).toEqual(['b30fbf', 'b30f81']);
    expect(texts()).toEqual([]);
    expect(bench.client.counters).toMatchObject({ unexpected: 1, malformed: 1 });
  });

  it('lets a handler emit', () => {
    const bench: Bench = new Bench({
      onMessage: (message) => bench.client.emit('echo', `${message.text}!`),
    });
    const led = bench.client.subscribe('led', 1);
    bench.connect();
    bench.give(`90 2000 0${led} ${ascii('on')}`);
    expect(bench.sent()).toEqual([`8404${ascii('echo')}${ascii('on!')}`]);
  });

  it('keeps quiet about all but the handshake while it has no session', () => {
    const bench = new Bench();
    const led = bench.client.subscribe('led', 1);
    bench.pass(1);
    for (const packet of [`800${led} 31`, `90 0000 0${led} 31`, 'b5 01', 'b8 0000', 'b4 02', 'b3 03 80'])
      bench.give(packet);
    expect(bench.client.received).toEqual([]);
    expect(bench.client.events).toEqual([]);
    expect(bench.pass(1)).toEqual([]);
  });

  it('frames that are split anywhere', () => {
    const { bench, led, texts } = board({ framing: 'serial' });
    const line = Buffer.concat([
      frame(bytes(`80 0${led} c0 db 01`)),
      frame(bytes(`80 0${led} ${ascii('b')}`)),
    ]);
    for (let at = 0; at <= line.length; at++) {
      bench.client.receive(line.subarray(0, at));
      bench.client.receive(line.subarray(at));
      expect(bench.client.received.splice(0).map(({ payload }) => hex(payload))).toEqual([
        'c0db01',
        ascii('b'),
      ]);
    }
    for (const byte of line) bench.client.receive(Uint8Array.of(byte));
    expect(texts()).toHaveLength(2);
    expect(bench.client.counter('crc')).toBe(0);
  });

  it('frames behind noise, text, bad escapes and frames that are too large', () => {
    const { bench, led, texts } = board({ framing: 'serial' });
    const good = frame(bytes(`80 0${led} ${ascii('ok')}`));
    const spoiled: [Uint8Array, 'crc' | 'oversize'][] = [
      [Buffer.from('boot 1.0\r\n'), 'crc'],
      [bytes('ff 00 80'), 'crc'],
      [bytes('c0 80 01 db 00 c0'), 'crc'],
      [bytes('c0 80 01 db c0'), 'crc'],
      [frame(bytes(`80 0${led} ${ascii('ok')}`)).map((byte, i) => (i === 3 ? byte ^ 1 : byte)), 'crc'],
      [frame(bytes(`80 0${led} ${'31'.repeat(62)}`)), 'oversize'],
      [new Uint8Array(100_0).fill(0x55), 'oversize'],
    ];
    for (const [noise, counter] of spoiled) {
      const before = bench.client.counter(counter);
      bench.client.receive(noise);
      bench.client.receive(good);
      expect(texts(), hex(noise)).toEqual(['ok']);
      expect(bench.client.counter(counter), hex(noise)).toBeGreaterThan(before);
    }
    // As much as the buffer holds.
    bench.client.receive(frame(bytes(`80 0${led} ${'31'.repeat(60)}`)));
    expect(texts()).toEqual(['1'.repeat(60)]);
  });

  it('records of a stream split anywhere, and closes one that is out of step', () => {
    const { bench, led } = board({ framing: 'stream', buffer: 300 });
    const stream = bytes(`04 800${led} 3131 ac02 800${led} ${'32'.repeat(298)} 03 800${led} 33`);
    for (let at = 0; at <= stream.length; at++) {
      expect(bench.client.receive(stream.subarray(0, at))).toBe(true);
      expect(bench.client.receive(stream.subarray(at))).toBe(true);
      expect(bench.client.received.splice(0).map(({ text }) => text)).toEqual(['11', '2'.repeat(298), '3']);
    }
    for (const bad of ['00', 'ad02', '8080808001', '8000', 'ffffff7f']) {
      expect(bench.client.receive(bytes(bad)), bad).toBe(false);
      expect(bench.client.receive(stream), bad).toBe(false);
      bench.client.link(true);
    }
    expect(bench.client.received).toEqual([]);
    expect(bench.client.counter('oversize')).toBe(5);
  });

  it('datagrams, as large as its buffer', () => {
    const { bench, led, texts } = board({ buffer: 100 });
    bench.give(`800${led} ${'31'.repeat(98)}`);
    bench.give(`800${led} ${'31'.repeat(99)}`);
    bench.give('');
    expect(texts()).toEqual(['1'.repeat(98)]);
    expect(bench.client.counters).toMatchObject({ oversize: 1, malformed: 1 });
  });
});
