import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodePacket, PacketReader } from '../../src/wire/decode.js';
import type { EmitRun } from '../../src/wire/emit-run.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Emit, Message } from '../../src/wire/messages.js';
import { Writer } from '../../src/wire/writer.js';

const IDS = [1, 2, 127, 128, 300, 16_384, 20_000];
const emit = fc.record({
  id: fc.constantFrom(...IDS),
  size: fc.oneof(fc.nat(20), fc.constantFrom(120, 130, 16_380, 16_390)),
  gatewayId: fc.boolean(),
  retain: fc.constantFrom(false, false, false, true),
  qos: fc.constantFrom(0 as const, 0 as const, 0 as const, 1 as const),
});
/** The same emit several times over, so that there are runs. */
const emits = fc
  .array(fc.tuple(emit, fc.integer({ min: 1, max: 80 })), { minLength: 1, maxLength: 6 })
  .map((parts) =>
    parts.flatMap(([what, times]) => Array.from({ length: what.size > 999 ? 3 : times }, () => what)),
  );

function asMessages(
  wanted: readonly { id: number; size: number; gatewayId: boolean; retain: boolean; qos: 0 | 1 }[],
) {
  return wanted.map(
    ({ id, size, gatewayId, retain, qos }, n): Emit => ({
      type: 'emit',
      qos,
      retain,
      ...(qos > 0 && { seq: n }),
      id,
      gatewayId,
      payload: Buffer.alloc(size, n),
    }),
  );
}

function brief({ id, gatewayId, qos, retain, payload }: Emit): string {
  return `${gatewayId ? 'G' : ''}${id}@${qos}${retain ? '!' : ''} ${payload.length} × ${payload[0]}`;
}

/** Reads a packet as a session does that takes every run. */
function readWithRuns(packet: Uint8Array): { messages: string[]; runs: EmitRun[] } {
  const reader = new PacketReader(packet, 'peer');
  reader.check();
  const messages: string[] = [];
  const runs: EmitRun[] = [];
  while (!reader.done) {
    const run = reader.run();
    if (run) {
      runs.push(run);
      reader.take(run);
      const { id, gatewayId } = run;
      for (const payload of run)
        messages.push(brief({ type: 'emit', qos: 0, retain: false, id, gatewayId, payload }));
    } else messages.push(brief(reader.next() as Emit));
  }
  return { messages, runs };
}

describe('EmitRun', () => {
  test('is the same messages as one by one, and no run is left out', () => {
    fc.assert(
      fc.property(emits, (wanted) => {
        const sent = asMessages(wanted);
        const { messages, runs } = readWithRuns(encodePacket(sent));
        expect(messages).toEqual(sent.map(brief));
        // Of two neighbours that are alike and fit for it, but for the last message, which has no L, one run has both or they are in two.
        for (const run of runs) {
          expect(run.count).toBeGreaterThanOrEqual(2);
          expect(run.count).toBeLessThanOrEqual(64);
          expect(run.longest).toBe(Math.max(...[...run].map((payload) => sizeOf(run.id, payload.length))));
        }
        const inRuns = runs.reduce((sum, { count }) => sum + count, 0);
        const alone = sent.filter((message, n) => {
          const alike = (other: Emit | undefined) =>
            other !== undefined &&
            other.id === message.id &&
            other.gatewayId === message.gatewayId &&
            plain(other);
          const last = n === sent.length - 1;
          return (
            last || !plain(message) || !(alike(sent[n - 1]) || (n + 2 < sent.length && alike(sent[n + 1])))
          );
        }).length;
        // A run ends at 64, so that up to one in 64 may stand alone.
        expect(inRuns).toBeGreaterThanOrEqual(sent.length - alone - Math.ceil(sent.length / 64));
      }),
      { numRuns: 300 },
    );
  });

  test('is written under another id of the same length', () => {
    fc.assert(
      fc.property(emits, fc.constantFrom(...IDS), fc.boolean(), (wanted, id, gatewayId) => {
        for (const run of readWithRuns(encodePacket(asMessages(wanted))).runs) {
          expect(run.takesId(id)).toBe(sizeOf(id, 0) === sizeOf(run.id, 0));
          if (!run.takesId(id)) continue;
          const out = new Writer();
          out.reserve(3);
          out.at = 3;
          run.writeTo(out, id, gatewayId);
          expect(out.at).toBe(3 + run.length);
          const written = decodePacket(
            out.bytes.subarray(3, out.at),
            gatewayId ? 'gateway' : 'peer',
          ) as Emit[];
          const expected = [...run].map((payload) =>
            brief({ type: 'emit', qos: 0, retain: false, id, gatewayId, payload }),
          );
          expect(written.map(brief)).toEqual(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('is offered once: who does not take it reads its messages one by one', () => {
    const [first, ...rest] = asMessages(Array.from({ length: 5 }, () => ({ ...PLAIN, id: 1 })));
    const reader = new PacketReader(encodePacket([first as Emit, ...rest]), 'peer');
    expect(reader.run()?.count).toBe(4);
    const read: Message[] = [];
    while (!reader.done) {
      expect(reader.run()).toBeUndefined();
      read.push(reader.next());
    }
    expect(read).toHaveLength(5);
  });

  test('is not what comes by name, is retained, or is no emit', () => {
    const payload = Buffer.from('x');
    const named: Emit = { type: 'emit', qos: 0, retain: false, name: 'c', payload };
    const kept: Emit = { type: 'emit', qos: 0, retain: true, id: 1, payload };
    const ping: Message = { type: 'ping', token: 1 };
    for (const message of [named, kept, ping])
      expect(new PacketReader(encodePacket([message, message, message]), 'peer').run()).toBeUndefined();
  });
});

const PLAIN = { size: 3, gatewayId: false, retain: false, qos: 0 as const };

function plain({ qos, retain }: Emit): boolean {
  return qos === 0 && !retain;
}

/** Head, id, payload. */
function sizeOf(id: number, payloadBytes: number): number {
  return 1 + (id < 128 ? 1 : id < 16_384 ? 2 : 3) + payloadBytes;
}
