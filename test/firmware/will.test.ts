import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { ascii, Bench, TOKEN } from './bench.js';

const BUILDS = [{ reliable: true }, { reliable: false }];

/** The WILLs among packets, without their BEGIN and number. */
function wills(packets: readonly string[]): string[] {
  return packets.flatMap((packet) => /(?:^|^f204.{8})bd.{4}(.*)/.exec(packet)?.[1] ?? []);
}

/** Lets the gateway acknowledge everything, and returns the WILLs among that. */
function willsOnConnecting(bench: Bench): string[] {
  const found: string[] = [];
  for (let i = 0; i < 10; i++) {
    const packets = bench.pass(1);
    found.push(...wills(packets));
    bench.next += packets.length;
    bench.ack();
  }
  return found;
}

describeWithTools(['clang', 'wasm-ld'], 'the C client leaves a will (§4.7)', () => {
  it('set before it is connected', () => {
    for (const { reliable } of BUILDS) {
      const bench = new Bench({ reliable });
      const id = bench.client.declare('a');
      expect(bench.client.will(id, 'gone', { qos: 1, retain: true })).toBe('ok');
      bench.pass(1);
      bench.welcome();
      expect(willsOnConnecting(bench)).toEqual([`0901${ascii('a')}${ascii('gone')}`]);
      expect(bench.pass(1000)).toEqual([]);
    }
  });

  it('set, replaced and taken back later', () => {
    for (const { reliable } of BUILDS) {
      const bench = new Bench({ reliable });
      const id = bench.client.declare('a/b');
      bench.connect();
      const seq = reliable ? 0x1002 : 0x1001;
      const number = (n: number) => (seq + n).toString(16);
      bench.client.will(id, 'one', { qos: 2 });
      expect(bench.pass(1)).toEqual([`bd${number(0)}0203${ascii('a/b')}${ascii('one')}`]);
      bench.give(`b8 ${number(1)}`);
      bench.client.will(id, '');
      expect(bench.pass(1)).toEqual([`bd${number(1)}0003${ascii('a/b')}`]);
      bench.give(`b8 ${number(2)}`);
      bench.client.will(0, 'ignored');
      expect(bench.pass(1)).toEqual([`bd${number(2)}0000`]);
      bench.give(`b8 ${number(3)}`);
      expect(bench.pass(1000)).toEqual([]);
    }
  });

  it('again to a gateway that has lost the session, not to one that holds it', () => {
    const bench = new Bench();
    const id = bench.client.declare('a');
    bench.client.will(id, 'gone');
    bench.connect();
    bench.give('b3 03 80');
    bench.pass(1);
    const { next } = bench;
    bench.welcome({ flags: 7, nextIn: next, received: next });
    expect(willsOnConnecting(bench)).toEqual([]);
    bench.give('b3 03 80');
    bench.pass(1);
    bench.welcome({ flags: 4, token: '22222222', nextIn: 0x9000, received: bench.next });
    bench.next = 0x9000;
    expect(willsOnConnecting(bench)).toEqual([`0001${ascii('a')}${ascii('gone')}`]);
  });

  it('under its own number, resent until it is acknowledged', () => {
    for (const { reliable } of BUILDS) {
      const bench = new Bench({ reliable });
      const id = bench.client.declare('a');
      bench.connect();
      bench.client.will(id, 'gone');
      const [will] = bench.pass(1);
      expect(bench.until(1000).sent).toEqual([will]);
    }
  });

  it('and tells when the gateway refuses it', () => {
    for (const { reliable } of BUILDS) {
      const bench = new Bench({ reliable });
      const id = bench.client.declare('a');
      bench.connect();
      bench.client.will(id, 'gone');
      bench.pass(1);
      bench.give(reliable ? 'bc 2000 1002 0f' : 'f3 04 0f bd 1001 b8 1002');
      expect(bench.client.events).toEqual([{ event: 'refused', reason: 15, id: 255 }]);
    }
  });

  it('only of a channel in its table, and of a size that a packet can have', () => {
    const bench = new Bench({ channels: 2 });
    const id = bench.client.declare('a');
    expect(bench.client.will(2, 'x')).toBe('invalid');
    expect(bench.client.will(3, 'x')).toBe('invalid');
    expect(bench.client.will(id, 'x', { qos: 3 })).toBe('invalid');
    expect(bench.client.will(id, 'x'.repeat(1473))).toBe('too_large');
    bench.pass(1);
    bench.welcome();
    expect(willsOnConnecting(bench)).toEqual([]);
  });

  it('that is larger than the gateway takes is refused, and stands in nobody’s way', () => {
    for (const { reliable } of BUILDS) {
      const bench = new Bench({ reliable });
      const id = bench.client.declare('a');
      bench.client.will(id, 'x'.repeat(60));
      bench.pass(1);
      bench.welcome({ maxPacket: '40' });
      const begin = `f204${TOKEN}`;
      expect(bench.pass(1)[0]).toBe(`${begin}b9100001${ascii('a')}`);
      bench.next = 0x1001;
      expect(willsOnConnecting(bench)).toEqual([]);
      expect(bench.client.events).toContainEqual({ event: 'refused', reason: 8, id: 255 });
      expect(bench.client.pending).toBe(0);
      bench.client.subscribe('b');
      expect(bench.pass(1)[0]).toMatch(/^ba/);
    }
  });
});
