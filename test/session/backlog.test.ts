import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Backlog } from '../../src/session/backlog.js';
import { decodePacket } from '../../src/wire/decode.js';
import { type EmitHeader, emitSize, PacketBuilder } from '../../src/wire/encode.js';
import type { Emit } from '../../src/wire/messages.js';

/** Puts a message with this text behind those that wait, then reuses the bytes. */
function push(backlog: Backlog, text: string, target: { name: string } | { id: number }): void {
  const name = 'name' in target ? target.name : undefined;
  const id = 'id' in target ? target.id : undefined;
  const header: EmitHeader = { qos: 0, retain: false, seq: 0, name, id, gatewayId: false };
  const payload = Buffer.from(text);
  backlog.push(header, payload, emitSize(0, name, id, payload.length));
  payload.fill(0xee);
}

function brief({ id, name, payload }: Emit): string {
  return `${id ?? name}: ${Buffer.from(payload).toString()}`;
}

function moved(backlog: Backlog, maxPacket: number, limit = maxPacket): string[] {
  const packet = new PacketBuilder(maxPacket);
  const count = backlog.moveTo(packet, limit);
  const messages = count === 0 ? [] : (decodePacket(packet.finish(), 'peer') as Emit[]);
  expect(messages).toHaveLength(count);
  return messages.map(brief);
}

describe('Backlog', () => {
  test('gives back what it was given, in order, as much at a time as there is room for', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ text: fc.string({ maxLength: 300 }), id: fc.nat(300) }),
            fc.record({ text: fc.string({ maxLength: 20 }), name: fc.constantFrom('a', 'a/b') }),
            fc.record({ maxPacket: fc.integer({ min: 320, max: 900 }), limit: fc.nat(900) }),
          ),
          { maxLength: 200 },
        ),
        (steps) => {
          const backlog = new Backlog();
          let waiting: string[] = [];
          for (const step of steps) {
            if ('maxPacket' in step) {
              const out = moved(backlog, step.maxPacket, step.limit);
              expect(out).toEqual(waiting.slice(0, out.length));
              // The first always fits.
              if (waiting.length > 0) expect(out.length).toBeGreaterThan(0);
              waiting = waiting.slice(out.length);
            } else {
              push(backlog, step.text, step);
              waiting.push(`${'id' in step ? step.id : step.name}: ${step.text}`);
            }
            expect(backlog.count).toBe(waiting.length);
            expect(backlog.bytes > 0).toBe(waiting.length > 0);
          }
          expect(backlog.messages('peer').map(brief)).toEqual(waiting);
        },
      ),
    );
  });

  test('keeps the order for as long as something waits', () => {
    const backlog = new Backlog();
    // Two digits at least: of shorter ones two would fit.
    for (let n = 10; n < 13; n++) push(backlog, `${n}`, { id: 1 });
    for (let n = 13; n < 50_000; n++) {
      push(backlog, `${n}`, { id: 1 });
      expect(moved(backlog, 100, 1)).toEqual([`1: ${n - 3}`]);
    }
    expect(backlog.bytes).toBe(3 * 8);
  });

  test('forgets what is cleared', () => {
    const backlog = new Backlog();
    push(backlog, 'x', { id: 1 });
    backlog.clear();
    expect([backlog.count, backlog.bytes, moved(backlog, 100)]).toEqual([0, 0, []]);
    push(backlog, 'y', { id: 1 });
    expect(moved(backlog, 100)).toEqual(['1: y']);
  });

  test('what one gave up, another uses without finding it there', () => {
    const one = new Backlog();
    push(one, 'one', { id: 1 });
    moved(one, 100);
    const [two, three] = [new Backlog(), new Backlog()];
    push(two, 'two', { id: 2 });
    push(three, 'three', { id: 3 });
    expect([moved(two, 100), moved(three, 100), moved(one, 100)]).toEqual([['2: two'], ['3: three'], []]);
  });
});
