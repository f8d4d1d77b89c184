import { describe, expect, test } from 'vitest';
import { decodePacket } from '../../src/wire/decode.js';
import type { Qos } from '../../src/wire/messages.js';
import { Random } from '../support/random.js';
import { ack, Bench, SERIAL } from './engine-bench.js';

const BUFFER = 64;

/** A board that reads what came `readingMs` after it was sent, and then answers. Returns when all was delivered, ms. */
function feed(bench: Bench, count: number, readingMs: number): { took: number; most: number } {
  const unread: { packet: Uint8Array; at: number }[] = [];
  const start = bench.now;
  let delivered = 0;
  let next = 200;
  let most = 0;
  const collect = () => {
    for (const packet of bench.packets()) unread.push({ packet, at: bench.now + readingMs });
    const bytes = unread.reduce((sum, { packet }) => sum + SERIAL.wireSize(packet), 0);
    // One that is larger than the buffer goes alone (PROTOCOL.md §5.6).
    if (unread.length > 1) most = Math.max(most, bytes);
  };
  collect();
  while (delivered < count) {
    const wake = bench.engine.wakeAt() ?? Number.POSITIVE_INFINITY;
    const read = unread[0]?.at ?? Number.POSITIVE_INFINITY;
    const then = Math.min(wake, read);
    if (then === Number.POSITIVE_INFINITY) throw new Error(`stuck after ${delivered} of ${count}`);
    bench.now = Math.max(bench.now, then);
    if (read <= wake) {
      const { packet } = unread.shift() as { packet: Uint8Array };
      for (const message of decodePacket(packet, 'gateway')) {
        if (message.type === 'ping') bench.receive({ type: 'pong', token: message.token });
        if (message.type !== 'emit') continue;
        delivered++;
        if (message.seq !== undefined) bench.receive(ack(++next));
      }
    }
    collect();
  }
  return { took: bench.now - start, most };
}

describe('pace towards a small buffer (PROTOCOL.md §5.6)', () => {
  test('is kept, and never waits for the timer where nothing is lost', () => {
    for (let size = 0; size <= 50; size++) {
      for (const mix of [[0], [1], [0, 1], [0, 0, 1], [1, 1, 0]] as Qos[][]) {
        const bench = new Bench('gateway').begin(SERIAL, { other: { buffer: BUFFER } });
        const count = 40;
        for (let i = 0; i < count; i++) bench.emit('x'.repeat(size), mix[i % mix.length] as Qos);
        const what = `${size} bytes, QoS ${mix.join()}`;
        const { took, most } = feed(bench, count, 5);
        expect(most, what).toBeLessThanOrEqual(BUFFER);
        // Two round trips a message, where one waits for room and asks for it; the timer alone would be 250 ms each.
        if (size <= 40) expect(took, what).toBeLessThanOrEqual(count * 10 + 20);
      }
    }
  });

  test('what was thrown away behind a gap does not hold up for a whole timer what fills the gap', () => {
    const bench = new Bench('gateway').begin(SERIAL, { other: { buffer: BUFFER } });
    bench.emit('x'.repeat(20), 1);
    bench.emit('y'.repeat(20), 1);
    expect(bench.packets()).toHaveLength(2);
    bench.now += 50;
    // The first is lost, and the board keeps nothing that comes out of order: it read the second, but nothing says so.
    bench.receive(ack(200, 0));
    const [asked] = bench.sent();
    if (asked?.type !== 'ping') throw new Error('it does not ask what was read');
    bench.now += 50;
    bench.receive({ type: 'pong', token: asked.token });
    expect(bench.sent().map((message) => ('seq' in message ? message.seq : undefined))).toContain(200);
  });

  test('is kept whatever is lost, and everything reliable gets through', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = new Random(seed);
      const bench = new Bench('gateway').begin(SERIAL, { other: { buffer: BUFFER } });
      for (let i = 0; i < 30; i++) bench.emit('x'.repeat(random.below(40)), random.chance(0.5) ? 1 : 0);
      let next = 200;
      for (let round = 0; bench.engine.pending > 0; round++) {
        if (round > 2000) throw new Error(`seed ${seed}: not through`);
        for (const packet of bench.packets()) {
          if (random.chance(0.3)) continue;
          for (const message of decodePacket(packet, 'gateway')) {
            if (message.type === 'ping' && random.chance(0.7))
              bench.receive({ type: 'pong', token: message.token });
            if (message.type === 'emit' && message.seq === next) next++;
          }
          if (random.chance(0.7)) bench.receive(ack(next));
        }
        bench.now = Math.max(bench.now + 5, bench.engine.wakeAt() ?? 0);
      }
      expect(bench.events, `seed ${seed}`).toEqual([]);
    }
  });

  test('a new link begins with an empty buffer, whatever the old one had confirmed', () => {
    const bench = new Bench('gateway').begin(SERIAL, { other: { buffer: BUFFER } });
    for (let i = 0; i < 20; i++) {
      bench.emit('x'.repeat(40), 1);
      bench.sent();
      bench.receive(ack(201 + i));
    }
    for (let i = 0; i < 4; i++) bench.emit('y'.repeat(20), 1);
    bench.sent();
    bench.engine.detach();
    bench.begin(SERIAL, { continues: true, other: { buffer: BUFFER } });
    bench.packets();
    bench.receive(ack(221));
    const bytes = bench.packets().reduce((sum, packet) => sum + SERIAL.wireSize(packet), 0);
    expect(bytes).toBeLessThanOrEqual(BUFFER);
  });
});
