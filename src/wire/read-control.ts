import { hasWildcard } from './channels.js';
import {
  COOKIE_BYTES,
  COOKIE_OPTION,
  GATEWAY_PROOF_BYTES,
  MAX_BITMAP_BYTES,
  MAX_CHANNEL_BYTES,
  MAX_OPTION_BYTES,
  MAX_WINDOW,
  MIN_MAX_PACKET_BYTES,
  PEER_PROOF_BYTES,
  PROOF_OPTION,
  PROTOCOL_VERSION,
  SECRET_OPTION,
  TAKEN_OPTION,
  USER_OPTION,
} from './limits.js';
import type { Emit, Hello, Message, Qos, Subscribe, Time, Welcome, Will } from './messages.js';
import type { Reader } from './reader.js';
import { reasonOfCode } from './reasons.js';

type HelloOptions = { -readonly [key in 'cookie' | 'proof' | 'user' | 'secret']?: NonNullable<Hello[key]> };
type WelcomeOptions = { -readonly [key in 'taken' | 'proof']?: NonNullable<Welcome[key]> };

/** A message with a type number (PROTOCOL.md §3.2). */
export type Control = Exclude<Message, Emit>;

/** Reads what follows the head and length of a control message that `from` sent (§3.2). */
export function readControl(reader: Reader, type: Control['type'], from: 'peer' | 'gateway'): Control {
  switch (type) {
    case 'hello':
      return readHello(reader);
    case 'welcome':
      return readWelcome(reader);
    case 'begin':
      return { type, token: readToken(reader) };
    case 'refuse':
      return {
        type,
        reason: reasonOfCode(reader.u8('reason')),
        head: reader.u8('head'),
        detail: reader.rest(),
      };
    case 'bye':
      return { type, reason: reasonOfCode(reader.u8('reason')) };
    case 'ping':
    case 'pong':
      return { type, token: reader.u8('token') };
    case 'time':
      return readTime(reader, from);
    case 'ack':
      return { type, next: reader.u16('next'), bitmap: reader.rest(MAX_BITMAP_BYTES, 'the bitmap') };
    case 'declare':
      return {
        type,
        seq: reader.u16('seq'),
        id: reader.varint('the id', 1),
        name: reader.text(1, MAX_CHANNEL_BYTES, 'the channel'),
      };
    case 'subscribe':
      return readSubscribe(reader);
    case 'unsubscribe':
      return { type, seq: reader.u16('seq'), pattern: reader.text(0, MAX_CHANNEL_BYTES, 'the pattern') };
    case 'reject':
      return {
        type,
        seq: reader.u16('seq'),
        of: reader.u16('of'),
        reason: reasonOfCode(reader.u8('reason')),
      };
    case 'will':
      return readWill(reader);
    case 'sleep':
      return { type, seq: reader.u16('seq'), seconds: reader.varint('seconds') };
    case 'extended':
      return { type, kind: reader.u8('kind'), body: reader.rest() };
  }
}

function readHello(reader: Reader): Hello {
  const version = reader.u8('version');
  const flags = reader.u8('flags');
  // §4.6: another version may know more flags, and lay out otherwise all that follows the token.
  if (version === PROTOCOL_VERSION) checkReserved(reader, flags, 0b11, 'flags');
  const nonce = reader.u32('nonce');
  const token = reader.u32('token');
  if (version !== PROTOCOL_VERSION) reader.reason = 'version';
  const hello: Hello = {
    type: 'hello',
    version,
    clean: (flags & 1) !== 0,
    program: (flags & 2) !== 0,
    nonce,
    token,
    received: reader.u16('received'),
    keepAlive: reader.u16('keep_alive'),
    expiry: reader.varint('expiry'),
    maxPacket: reader.varint('max_packet', MIN_MAX_PACKET_BYTES),
    window: reader.varint('window', 0, MAX_WINDOW),
    inFlight: reader.varint('in_flight'),
    buffer: reader.varint('buffer'),
    ids: reader.varint('ids'),
    identity: reader.shortText(0, 255, 'the identity'),
  };
  // A field that came after the spread would give each object a hidden class of its own: V8 makes a new one every time.
  return reader.at < reader.end ? { ...readHelloOptions(reader), ...hello } : hello;
}

/** §3.2: `type u8, length u8, value`; unknown types are skipped, and so is what cannot be a cookie or a proof. */
function readHelloOptions(reader: Reader): HelloOptions {
  const options: HelloOptions = {};
  while (reader.at < reader.end) {
    const type = reader.u8('an option');
    const length = reader.u8('an option');
    if (type === COOKIE_OPTION && length === COOKIE_BYTES) options.cookie = reader.u32('the cookie');
    else if (type === PROOF_OPTION && (length === 0 || length === PEER_PROOF_BYTES))
      options.proof = reader.part(length, 'the proof');
    else if (type === USER_OPTION) options.user = reader.utf8(length, 1, MAX_OPTION_BYTES, 'the user');
    else if (type === SECRET_OPTION) options.secret = reader.part(length, 'the secret');
    else reader.skip(length, 'an option');
  }
  return options;
}

function readWelcome(reader: Reader): Welcome {
  const version = reader.u8('version');
  const flags = reader.u8('flags');
  checkReserved(reader, flags, 0b111, 'flags');
  const welcome: Welcome = {
    type: 'welcome',
    version,
    resumed: (flags & 1) !== 0,
    continues: (flags & 2) !== 0,
    known: (flags & 4) !== 0,
    nonce: reader.u32('nonce'),
    token: readToken(reader),
    nextIn: reader.u16('next_in'),
    nextOut: reader.u16('next_out'),
    received: reader.u16('received'),
    keepAlive: reader.u16('keep_alive'),
    maxPacket: reader.varint('max_packet', MIN_MAX_PACKET_BYTES),
    window: reader.varint('window', 0, MAX_WINDOW),
    ids: reader.varint('ids'),
    time: reader.u48('time'),
  };
  return reader.at < reader.end ? { ...readWelcomeOptions(reader), ...welcome } : welcome;
}

function readWelcomeOptions(reader: Reader): WelcomeOptions {
  const options: WelcomeOptions = {};
  while (reader.at < reader.end) {
    const type = reader.u8('an option');
    const length = reader.u8('an option');
    if (type === TAKEN_OPTION && length > 0)
      options.taken = Uint8Array.of(...(options.taken ?? []), ...reader.part(length, 'an option'));
    else if (type === PROOF_OPTION && length === GATEWAY_PROOF_BYTES)
      options.proof = reader.part(length, 'the proof');
    else reader.skip(length, 'an option');
  }
  return options;
}

/** §4.2: a token that names an epoch is never 0. */
function readToken(reader: Reader): number {
  const at = reader.at;
  return reader.within(reader.u32('token'), 1, 0xffff_ffff, 'token', at);
}

/** A peer's question has no time, the gateway's answer has. */
function readTime(reader: Reader, from: 'peer' | 'gateway'): Time {
  const token = reader.u8('token');
  return from === 'peer' ? { type: 'time', token } : { type: 'time', token, time: reader.u48('time') };
}

function readSubscribe(reader: Reader): Subscribe {
  const seq = reader.u16('seq');
  const options = reader.u8('options');
  checkReserved(reader, options, 0b1111, 'options');
  const qos = readQos(reader, options);
  const id = reader.varint('the id');
  const pattern = reader.text(1, MAX_CHANNEL_BYTES, 'the pattern');
  if (id !== 0 && hasWildcard(pattern)) throw reader.malformed('a pattern with a wildcard cannot have an id');
  const noLocal = (options & 4) !== 0;
  return { type: 'subscribe', seq, qos, noLocal, noLastValue: (options & 8) !== 0, id, pattern };
}

function readWill(reader: Reader): Will {
  const seq = reader.u16('seq');
  const options = reader.u8('options');
  checkReserved(reader, options, 0b1011, 'options');
  const qos = readQos(reader, options);
  const name = reader.shortText(0, MAX_CHANNEL_BYTES, 'the channel');
  const payload = reader.rest(name === '' ? 0 : undefined, 'the payload of a will without a channel');
  return { type: 'will', seq, qos, retain: (options & 8) !== 0, name, payload };
}

function readQos(reader: Reader, options: number): Qos {
  const qos = options & 3;
  if (qos === 3) throw reader.malformed('there is no QoS 3', reader.at - 1);
  return qos as Qos;
}

function checkReserved(reader: Reader, bits: number, known: number, field: string): void {
  if ((bits & ~known) !== 0) throw reader.malformed(`${field} has reserved bits set`, reader.at - 1);
}
