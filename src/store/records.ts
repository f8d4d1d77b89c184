import { z } from 'zod';
import type { MessageExtras } from '../router/message.js';
import { decodePacket } from '../wire/decode.js';
import { encodePacket } from '../wire/encode.js';
import { isNumbered, type Message, type Qos, type Subscribe, type Will } from '../wire/messages.js';
import { readExtras, writeExtras } from './extras.js';

/**
 * How the store writes things down: one record a thing, its kind and owner in the key. What came over the wire is kept as
 * it would stand there (PROTOCOL.md §3).
 */

/** The store's own version: another one is not read. */
export const FORMAT = { key: 'format', value: Uint8Array.of(1) } as const;

/** A record that is not as this Slipway wrote it. */
export class DamagedRecord extends Error {}

/** As who a peer was let in: a `Principal`. */
export const principal = z.strictObject({
  device: z.string().exactOptional(),
  key: z.string().exactOptional(),
  user: z.string().exactOptional(),
  credential: z.string().exactOptional(),
  from: z.enum(['serial', 'loopback', 'network']),
});

/** Where the numbering of a session stands, and whose it is. */
const sessionState = z.strictObject({
  nonce: z.int(),
  token: z.int(),
  program: z.boolean(),
  /** How long it outlives its link, ms. */
  expiryMs: z.number(),
  /** When it expires, ms on the store's clock; null unless it is offline. */
  expiresAt: z.number().nullable(),
  /** If it sleeps, until when (§4.7), ms on the store's clock. */
  sleepsUntil: z.number().nullable(),
  /** Its link is lost, and its will not emitted yet. */
  willDue: z.boolean(),
  /** Whether its numbering may go on (§5.4). */
  stands: z.boolean(),
  /** What its peer takes: the largest packet, and how many reliable messages unacknowledged (0: none at all, §3.2). */
  maxPacket: z.int(),
  window: z.int(),
  nextIn: z.int(),
  withheld: z.array(z.int()),
  nextOut: z.int(),
  /** Where the history of last values stood when the peer was last heard. */
  mark: z.int(),
  /** How many messages, subscriptions, ids and wills it has: if fewer are found, the disk has lost some. */
  records: z.int(),
  /** As who its peer was let in, where there are rules about that (§4.8). */
  principal: principal.exactOptional(),
});
export type SessionState = z.infer<typeof sessionState>;

const numbering = z.strictObject({
  nonce: z.int(),
  token: z.int(),
  nextIn: z.int(),
  nextOut: z.int(),
  /** What was taken behind `nextIn`: a bitmap (§4.3). Nearly always nothing: then it is left out. */
  taken: z.base64().prefault(''),
});
export type StoredNumbering = Omit<z.infer<typeof numbering>, 'taken'> & { readonly taken: Uint8Array };

/** A message in a session's queue. */
export interface StoredMessage {
  readonly record: number;
  /** Whether it has got the number that it carries. */
  readonly numbered: boolean;
  /** When it came, ms on the store's clock. */
  readonly at: number;
  /** From when on it must not be sent for the first time, ms on the store's clock; undefined for never. */
  readonly expiresAt: number | undefined;
  readonly message: Message & { readonly seq: number };
}

/** A subscription or a will, and the boot of the peer (its nonce) that made it. */
export interface StoredWish<M extends Subscribe | Will> {
  readonly nonce: number;
  readonly message: M;
}

export interface StoredId {
  readonly own: boolean;
  readonly id: number;
  readonly name: string;
  readonly usable: boolean;
}

export interface StoredLastValue {
  readonly name: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly mark: number;
  /** With its time on the store's clock. */
  readonly extras: MessageExtras | undefined;
}

/** Digits of a record's number in its key, in base 36: the order of keys is that of the numbers. */
const RECORD_DIGITS = 11;
const MESSAGE_HEADER_BYTES = 9;
/** What the first byte of a message tells. */
const NUMBERED = 1;
const EXPIRES = 2;

// An identity holds no `/` (§4.1), so that what follows it can be anything.
export const keys = {
  session: (identity: string) => `session/${identity}`,
  message: (identity: string, record: number) =>
    `message/${identity}/${record.toString(36).padStart(RECORD_DIGITS, '0')}`,
  subscription: (identity: string, pattern: string) => `subscription/${identity}/${pattern}`,
  will: (identity: string) => `will/${identity}`,
  id: (identity: string, own: boolean, id: number) => `id/${identity}/${own ? 'own' : 'peer'}/${id}`,
  numbering: (identity: string) => `numbering/${identity}`,
  lastValue: (channel: string) => `value/${channel}`,
  time: 'time',
};

/** What the time was on the store's clock (`Store.time`), ms. */
export function writeTime(time: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(time);
  return bytes;
}

export function readTime(value: Uint8Array): number {
  const time = Buffer.from(value).readDoubleBE();
  if (!Number.isFinite(time)) throw new DamagedRecord('it holds no time');
  return time;
}

export function writeSession(state: SessionState): Uint8Array {
  return Buffer.from(JSON.stringify(state));
}

export function readSession(value: Uint8Array): SessionState {
  return sessionState.parse(JSON.parse(Buffer.from(value).toString()));
}

export function writeNumbering({ nonce, token, nextIn, nextOut, taken }: StoredNumbering): Uint8Array {
  const text = taken.length > 0 ? { taken: Buffer.from(taken).toString('base64') } : {};
  return Buffer.from(JSON.stringify({ nonce, token, nextIn, nextOut, ...text }));
}

export function readNumbering(value: Uint8Array): StoredNumbering {
  const { taken, ...rest } = numbering.parse(JSON.parse(Buffer.from(value).toString()));
  return { taken: new Uint8Array(Buffer.from(taken, 'base64')), ...rest };
}

export function writeMessage({
  numbered,
  at,
  expiresAt,
  message,
}: Omit<StoredMessage, 'record'>): Uint8Array {
  const header = Buffer.alloc(MESSAGE_HEADER_BYTES + (expiresAt === undefined ? 0 : 8));
  header.writeUInt8((numbered ? NUMBERED : 0) | (expiresAt === undefined ? 0 : EXPIRES), 0);
  header.writeDoubleBE(at, 1);
  if (expiresAt !== undefined) header.writeDoubleBE(expiresAt, MESSAGE_HEADER_BYTES);
  return Buffer.concat([header, encodePacket([message])]);
}

export function readMessage(record: number, value: Uint8Array): StoredMessage {
  const header = Buffer.from(value.buffer, value.byteOffset, value.length);
  const flags = header.readUInt8(0);
  const expires = (flags & EXPIRES) !== 0;
  const message = onlyMessage(value.subarray(MESSAGE_HEADER_BYTES + (expires ? 8 : 0)));
  if (!isNumbered(message)) throw new DamagedRecord('it holds no reliable message');
  return {
    record,
    numbered: (flags & NUMBERED) !== 0,
    at: header.readDoubleBE(1),
    expiresAt: expires ? header.readDoubleBE(MESSAGE_HEADER_BYTES) : undefined,
    message: message as StoredMessage['message'],
  };
}

export function writeWish({ nonce, message }: StoredWish<Subscribe | Will>): Uint8Array {
  const boot = Buffer.alloc(4);
  boot.writeUInt32BE(nonce);
  return Buffer.concat([boot, encodePacket([message])]);
}

export function readSubscription(value: Uint8Array): StoredWish<Subscribe> {
  const { nonce, message } = readWish(value);
  if (message.type !== 'subscribe') throw new DamagedRecord('it holds no subscription');
  return { nonce, message };
}

export function readWill(value: Uint8Array): StoredWish<Will> {
  const { nonce, message } = readWish(value);
  if (message.type !== 'will') throw new DamagedRecord('it holds no will');
  return { nonce, message };
}

function readWish(value: Uint8Array): { nonce: number; message: Message } {
  const boot = Buffer.from(value.buffer, value.byteOffset, value.length);
  return { nonce: boot.readUInt32BE(), message: onlyMessage(value.subarray(4), 'peer') };
}

export function writeId({ name, usable }: StoredId): Uint8Array {
  return Buffer.concat([Buffer.of(usable ? 1 : 0), Buffer.from(name)]);
}

export function readId(own: boolean, id: number, value: Uint8Array): StoredId {
  return { own, id, name: Buffer.from(value.subarray(1)).toString(), usable: value[0] === 1 };
}

/** In the first byte of a last value, beside its QoS: extras stand before the payload. */
const HAS_EXTRAS = 0x80;
const VALUE_HEADER_BYTES = 9;

export function writeLastValue({ payload, qos, mark, extras }: Omit<StoredLastValue, 'name'>): Uint8Array {
  const header = Buffer.alloc(VALUE_HEADER_BYTES);
  header.writeUInt8(qos | (extras ? HAS_EXTRAS : 0), 0);
  header.writeDoubleBE(mark, 1);
  return Buffer.concat(extras ? [header, writeExtras(extras), payload] : [header, payload]);
}

export function readLastValue(name: string, value: Uint8Array): StoredLastValue {
  const bytes = Buffer.from(value);
  const first = bytes.readUInt8(0);
  const qos = first & ~HAS_EXTRAS;
  if (qos > 2) throw new DamagedRecord(`it has QoS ${qos}`);
  const mark = bytes.readDoubleBE(1);
  const body = bytes.subarray(VALUE_HEADER_BYTES);
  const { extras, rest } = first & HAS_EXTRAS ? readExtras(body) : { extras: undefined, rest: body };
  return { name, qos: qos as Qos, mark, payload: rest, extras };
}

function onlyMessage(packet: Uint8Array, from: 'peer' | 'gateway' = 'gateway'): Message {
  const [message, more] = decodePacket(packet, from);
  if (message === undefined || more !== undefined) throw new DamagedRecord('it holds more than one message');
  return message;
}
