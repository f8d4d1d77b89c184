import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePacket, MalformedPacket } from '../../src/wire/decode.js';
import { encodePacket, messageSize, PacketBuilder } from '../../src/wire/encode.js';
import { MAX_SERIAL_FIRST_LENGTH } from '../../src/wire/limits.js';
import type { Message } from '../../src/wire/messages.js';
import { conversation } from './arbitrary.js';

/** Views and copies of the same bytes compare as equal, whatever their class. */
function plain(messages: readonly Message[]): unknown {
  return messages.map((message) =>
    Object.fromEntries(
      Object.entries(message).map(([key, value]) => [key, value instanceof Uint8Array ? [...value] : value]),
    ),
  );
}

const PING: Message = { type: 'ping', token: 7 };

function emit(payload: Uint8Array): Message {
  return { type: 'emit', qos: 0, retain: false, id: 5, gatewayId: false, payload };
}

describe('a packet', () => {
  it('is decoded to the messages that it was made of', () => {
    fc.assert(
      fc.property(conversation, ({ from, messages }) => {
        expect(plain(decodePacket(encodePacket(messages), from))).toEqual(plain(messages));
      }),
      { numRuns: 1000 },
    );
  });

  it('has L on every message but the last', () => {
    expect([...encodePacket([PING, PING, PING])]).toEqual([0xf5, 1, 7, 0xf5, 1, 7, 0xb5, 7]);
  });

  it('may have L on the last message too', () => {
    expect(decodePacket(Uint8Array.of(0xf5, 1, 7), 'peer')).toEqual([PING]);
  });

  it('is malformed wherever it is cut, but between messages', () => {
    fc.assert(
      fc.property(conversation, ({ from, messages }) => {
        const packet = encodePacket(messages);
        for (let length = 0; length < packet.length; length++) {
          const cut = packet.subarray(0, length);
          let decoded: Message[];
          try {
            decoded = decodePacket(cut, from);
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedPacket);
            continue;
          }
          // What was cut is a whole packet of its own: it says the same again, and less than all was said.
          expect(plain(decodePacket(encodePacket(decoded), from))).toEqual(plain(decoded));
          expect(plain(decoded)).not.toEqual(plain(messages));
          expect(plain(decoded.slice(0, -1))).toEqual(plain(messages.slice(0, decoded.length - 1)));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('aliases the bytes that it was decoded from: a payload is a view, not a copy', () => {
    const packet = encodePacket([emit(Uint8Array.of(1, 2, 3))]);
    const [message] = decodePacket(packet, 'peer');
    packet[packet.length - 1] = 9;
    expect(message?.type === 'emit' && [...message.payload]).toEqual([1, 2, 9]);
  });

  it('does not alias the messages that it was encoded from', () => {
    const payload = Uint8Array.of(1, 2, 3);
    const packet = encodePacket([emit(payload)]);
    payload.fill(0);
    expect([...packet.subarray(-3)]).toEqual([1, 2, 3]);
  });

  it('is decoded from the middle of a larger buffer', () => {
    const whole = Buffer.from('ffff80054142ffff', 'hex');
    const [message] = decodePacket(whole.subarray(2, 6), 'gateway');
    expect(message?.type === 'emit' && Buffer.from(message.payload).toString()).toBe('AB');
  });
});

describe('messageSize', () => {
  it('is the length of the message alone in a packet', () => {
    fc.assert(
      fc.property(conversation, ({ messages }) => {
        for (const message of messages) expect(messageSize(message)).toBe(encodePacket([message]).length);
      }),
    );
  });
});

describe('PacketBuilder', () => {
  it('makes the packets that encodePacket makes, never longer than it may', () => {
    fc.assert(
      fc.property(conversation, fc.integer({ min: 16, max: 600 }), ({ messages }, maxPacket) => {
        const builder = new PacketBuilder(maxPacket);
        let held: Message[] = [];
        for (const message of messages) {
          const before = builder.length;
          const fits = encodePacket([...held, message]).length <= maxPacket;
          expect(builder.add(message)).toBe(fits);
          if (fits) held.push(message);
          else expect(builder.length).toBe(before);
          if (!fits && held.length > 0) {
            expect(builder.finish()).toEqual(encodePacket(held));
            held = [];
          }
          expect(builder.empty).toBe(held.length === 0);
        }
        if (held.length === 0) return;
        expect(builder.length).toBe(encodePacket(held).length);
        expect(builder.finish()).toEqual(encodePacket(held));
        expect([builder.empty, builder.length]).toEqual([true, 0]);
      }),
    );
  });

  it('fills a packet to the last byte', () => {
    const builder = new PacketBuilder(16);
    expect(builder.add(emit(new Uint8Array(14)))).toBe(true);
    expect(builder.length).toBe(16);
    expect(builder.add(PING)).toBe(false);
    expect(builder.finish()).toHaveLength(16);
  });

  it('puts nothing behind a first message too long to be told from text on a serial line', () => {
    for (const [payload, fits] of [
      [126, true],
      [127, false],
    ] as const) {
      const builder = new PacketBuilder(1024, MAX_SERIAL_FIRST_LENGTH);
      expect(builder.add(emit(new Uint8Array(payload)))).toBe(true);
      expect(builder.add(PING)).toBe(fits);
    }
    const builder = new PacketBuilder(1024, MAX_SERIAL_FIRST_LENGTH);
    expect([builder.add(PING), builder.add(emit(new Uint8Array(500))), builder.add(PING)]).toEqual([
      true,
      true,
      true,
    ]);
  });

  it('hands out packets that later ones do not overwrite', () => {
    const builder = new PacketBuilder(64);
    builder.add(PING);
    const first = builder.finish();
    builder.add({ type: 'ping', token: 8 });
    builder.finish();
    expect([...first]).toEqual([0xb5, 7]);
  });

  it('is as it was after a message that cannot be encoded', () => {
    const builder = new PacketBuilder(64);
    builder.add(PING);
    expect(() => builder.add({ type: 'ping', token: 256 })).toThrow(
      'token must be an integer from 0 to 255, not 256',
    );
    builder.add(PING);
    expect(builder.finish()).toEqual(encodePacket([PING, PING]));
  });

  it('takes messages that are encoded already as it takes others, as many as fit', () => {
    fc.assert(
      fc.property(
        conversation,
        fc.nat(3),
        fc.integer({ min: 16, max: 600 }),
        fc.integer({ min: 0, max: 600 }),
        fc.option(fc.nat(40)),
        ({ messages }, before, maxPacket, limit, maxFirst) => {
          const other = new PacketBuilder(maxPacket, maxFirst ?? undefined);
          const builder = new PacketBuilder(maxPacket, maxFirst ?? undefined);
          for (const message of messages.slice(0, before))
            expect(builder.add(message)).toBe(other.add(message));
          // A last message has no L: so there is one more.
          const waiting = messages.slice(before);
          const run = Buffer.concat([Buffer.of(7), encodePacket([...waiting, PING])]);
          const end = run.length - 2;
          let expected = 0;
          for (const message of waiting) {
            if (!other.empty && other.lengthWith(messageSize(message)) > limit) break;
            if (!other.add(message)) break;
            expected++;
          }
          const { next, count } = builder.addRun(run, 1, end, limit);
          expect(count).toBe(expected);
          expect(next).toBe(run.length - encodePacket([...waiting.slice(count), PING]).length);
          expect(builder.length).toBe(other.length);
          if (!builder.empty) expect(builder.finish()).toEqual(other.finish());
        },
      ),
    );
  });
});

describe('what the protocol has no bytes for is not encoded', () => {
  const bytes = new Uint8Array();
  const base = { type: 'emit', retain: false, payload: bytes } as const;
  it.each<[string, Message]>([
    ['needs a sequence number', { ...base, qos: 1, id: 1 }],
    ['needs a name or an id', { ...base, qos: 0 }],
    ['not both', { ...base, qos: 0, id: 1, name: 'a' }],
    ['not both', { ...base, qos: 0, gatewayId: true, name: 'a' }],
    ['1 to 255 bytes of UTF-8, not 0', { ...base, qos: 0, name: '' }],
    ['1 to 255 bytes of UTF-8, not 256', { ...base, qos: 0, name: 'a'.repeat(256) }],
    ['not 268435456', { ...base, qos: 0, id: 268_435_456 }],
    ['not -1', { ...base, qos: 0, id: -1 }],
    ['not NaN', { ...base, qos: 0, id: Number.NaN }],
    ['not 65536', { ...base, qos: 2, id: 1, seq: 65_536 }],
    ['not 1.5', { ...base, qos: 2, id: 1, seq: 1.5 }],
    ['token must be an integer from 1', { type: 'begin', token: 0 }],
    ['id must be an integer from 1', { type: 'declare', seq: 1, id: 0, name: 'a' }],
    ['32 bytes at most', { type: 'ack', next: 0, bitmap: new Uint8Array(33) }],
    ['reason must be', { type: 'bye', reason: 'reason_256' }],
    ['time must be', { type: 'time', token: 0, time: 2 ** 48 }],
    [
      'takes the will back',
      { type: 'will', seq: 0, qos: 0, retain: false, name: '', payload: Uint8Array.of(1) },
    ],
    [
      'has a wildcard',
      { type: 'subscribe', seq: 0, qos: 0, noLocal: false, noLastValue: false, id: 1, pattern: 'a/+' },
    ],
  ])('%s', (why, message) => {
    expect(() => encodePacket([message])).toThrow(why);
    expect(() => encodePacket([PING, message, PING])).toThrow(
      expect.objectContaining({ code: 'unencodable' }),
    );
  });

  it('a packet without messages', () => {
    expect(() => encodePacket([])).toThrow('at least one message');
    expect(() => new PacketBuilder(16).finish()).toThrow('at least one message');
  });
});
