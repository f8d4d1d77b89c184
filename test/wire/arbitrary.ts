import fc from 'fast-check';
import { hasWildcard } from '../../src/wire/channels.js';
import { MAX_VARINT, MAX_WINDOW, MIN_MAX_PACKET_BYTES } from '../../src/wire/limits.js';
import type { Emit, Message, Qos } from '../../src/wire/messages.js';
import { reasonOfCode } from '../../src/wire/reasons.js';

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const u48 = fc.nat(0xffff_ffff_ffff);
const token = fc.integer({ min: 1, max: 0xffff_ffff });
/** All four lengths of a varint come up. */
const varint = fc.oneof(fc.nat(200), fc.nat(0x4100), fc.nat(0x20_1000), fc.nat(MAX_VARINT));
const maxPacket = varint.map((value) => Math.max(MIN_MAX_PACKET_BYTES, value));
const window = varint.map((value) => Math.min(MAX_WINDOW, value));
const qos = fc.constantFrom<Qos>(0, 1, 2);
const reason = u8.map(reasonOfCode);
const payload = fc.uint8Array({ maxLength: 200, size: 'max' });

function text(minBytes: number, maxBytes: number): fc.Arbitrary<string> {
  return fc
    .string({ unit: 'grapheme', minLength: minBytes, maxLength: maxBytes })
    .filter((value) => Buffer.byteLength(value) <= maxBytes);
}

const flag = fc.boolean();
const channel = text(1, 255);

const emit = fc
  .record({ qos, retain: flag, seq: u16, name: fc.option(channel), id: varint, gatewayId: flag, payload })
  .map(({ qos, retain, seq, name, id, gatewayId, payload }): Emit => {
    const address = name === null ? { id, gatewayId } : { name };
    return { type: 'emit', qos, retain, ...(qos > 0 ? { seq } : {}), ...address, payload };
  });

function of<T extends Message['type'], F>(type: T, fields: { [K in keyof F]: fc.Arbitrary<F[K]> }) {
  return fc.record({ type: fc.constant(type), ...fields }) as fc.Arbitrary<{ type: T } & F>;
}

const plainHello = of('hello', {
  version: fc.constant(1),
  clean: flag,
  program: flag,
  nonce: u32,
  token: u32,
  received: u16,
  keepAlive: u16,
  expiry: varint,
  maxPacket,
  window,
  inFlight: varint,
  buffer: varint,
  ids: varint,
  identity: text(0, 255),
});
const proof = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const secret = fc.uint8Array({ maxLength: 255 });
const helloOptions = fc.record(
  { cookie: u32, proof: fc.oneof(proof(0), proof(16)), user: text(1, 255), secret },
  { requiredKeys: [] },
);
const hello = fc.oneof(
  plainHello,
  fc
    .record({ message: plainHello, options: helloOptions })
    .map(({ message, options }) => ({ ...message, ...options })),
);
const plainWelcome = of('welcome', {
  version: u8,
  resumed: flag,
  continues: flag,
  known: flag,
  nonce: u32,
  token,
  nextIn: u16,
  nextOut: u16,
  received: u16,
  keepAlive: u16,
  maxPacket,
  window,
  ids: varint,
  time: u48,
});
const taken = fc.uint8Array({ minLength: 1, maxLength: 2048 });
const welcomeOptions = fc.record({ taken, proof: proof(8) }, { requiredKeys: [] });
const welcome = fc.oneof(
  plainWelcome,
  fc
    .record({ message: plainWelcome, options: welcomeOptions })
    .map(({ message, options }) => ({ ...message, ...options })),
);
const subscribe = of('subscribe', {
  seq: u16,
  qos,
  noLocal: flag,
  noLastValue: flag,
  id: varint,
  pattern: channel,
}).map((message) => (hasWildcard(message.pattern) ? { ...message, id: 0 } : message));
const will = of('will', { seq: u16, qos, retain: flag, name: text(0, 255), payload }).map((message) =>
  message.name === '' ? { ...message, payload: new Uint8Array() } : message,
);

const fromBoth: fc.Arbitrary<Message>[] = [
  emit,
  of('refuse', { reason, head: u8, detail: payload }),
  of('bye', { reason }),
  of('ping', { token: u8 }),
  of('pong', { token: u8 }),
  of('ack', { next: u16, bitmap: fc.uint8Array({ maxLength: 32 }) }),
  of('declare', { seq: u16, id: varint.map((id) => Math.max(1, id)), name: channel }),
  of('reject', { seq: u16, of: u16, reason }),
  of('extended', { kind: u8, body: payload }),
];

const fromPeer: fc.Arbitrary<Message>[] = [
  ...fromBoth,
  hello,
  of('begin', { token }),
  of('time', { token: u8 }),
  subscribe,
  of('unsubscribe', { seq: u16, pattern: text(0, 255) }),
  will,
  of('sleep', { seq: u16, seconds: varint }),
];

const fromGateway: fc.Arbitrary<Message>[] = [...fromBoth, welcome, of('time', { token: u8, time: u48 })];

/** Any message that the side may send, with every field anywhere in its range. */
export const message = { peer: fc.oneof(...fromPeer), gateway: fc.oneof(...fromGateway) };

/** A side and a packet's worth of its messages. */
export const conversation = fc
  .constantFrom<'peer' | 'gateway'>('peer', 'gateway')
  .chain((from) =>
    fc.record({ from: fc.constant(from), messages: fc.array(message[from], { minLength: 1, maxLength: 8 }) }),
  );
