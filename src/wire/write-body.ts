import { hasWildcard } from './channels.js';
import { emitHead, HEAD } from './head.js';
import {
  COOKIE_BYTES,
  COOKIE_OPTION,
  MAX_BITMAP_BYTES,
  MAX_CHANNEL_BYTES,
  MAX_OPTION_BYTES,
  MAX_WINDOW,
  MIN_MAX_PACKET_BYTES,
  PROOF_OPTION,
  SECRET_OPTION,
  TAKEN_OPTION,
  USER_OPTION,
} from './limits.js';
import type { Emit, Hello, Message, Qos, Welcome } from './messages.js';
import { codeOfReason } from './reasons.js';
import { lengthSize } from './size.js';
import { writeVarint } from './varint.js';
import { unencodable, type Writer } from './writer.js';

/** The length of HELLO's identity is one byte; what an identity may be is `identityProblem`'s business. */
const MAX_SHORT_TEXT = 255;

/** Writes what follows a message's head and length (PROTOCOL.md §3.1, §3.2). */
export function writeBody(out: Writer, message: Message): void {
  switch (message.type) {
    case 'emit':
      writeEmit(out, message);
      break;
    case 'hello':
      writeHello(out, message);
      break;
    case 'welcome':
      writeWelcome(out, message);
      break;
    case 'begin':
      out.u32(message.token, 'token', 1);
      break;
    case 'refuse':
      out.u8(codeOfReason(message.reason), 'reason');
      out.u8(message.head, 'head');
      out.raw(message.detail);
      break;
    case 'bye':
      out.u8(codeOfReason(message.reason), 'reason');
      break;
    case 'ping':
    case 'pong':
      out.u8(message.token, 'token');
      break;
    case 'time':
      out.u8(message.token, 'token');
      if (message.time !== undefined) out.u48(message.time, 'time');
      break;
    case 'ack':
      if (message.bitmap.length > MAX_BITMAP_BYTES) {
        throw unencodable(`a bitmap has ${MAX_BITMAP_BYTES} bytes at most, not ${message.bitmap.length}`);
      }
      out.u16(message.next, 'next');
      out.raw(message.bitmap);
      break;
    case 'declare':
      out.u16(message.seq, 'seq');
      out.varint(message.id, 'id', 1);
      out.text(message.name, 1, MAX_CHANNEL_BYTES, 'a channel');
      break;
    case 'subscribe':
      out.u16(message.seq, 'seq');
      out.u8(message.qos | (message.noLocal ? 4 : 0) | (message.noLastValue ? 8 : 0), 'options');
      if (message.id !== 0 && hasWildcard(message.pattern)) {
        throw unencodable(`the pattern "${message.pattern}" has a wildcard and so cannot have an id`);
      }
      out.varint(message.id, 'id');
      out.text(message.pattern, 1, MAX_CHANNEL_BYTES, 'a pattern');
      break;
    case 'unsubscribe':
      out.u16(message.seq, 'seq');
      out.text(message.pattern, 0, MAX_CHANNEL_BYTES, 'a pattern');
      break;
    case 'reject':
      out.u16(message.seq, 'seq');
      out.u16(message.of, 'of');
      out.u8(codeOfReason(message.reason), 'reason');
      break;
    case 'will':
      if (message.name === '' && message.payload.length > 0) {
        throw unencodable('a will without a channel takes the will back and has no payload');
      }
      out.u16(message.seq, 'seq');
      out.u8(message.qos | (message.retain ? 8 : 0), 'options');
      out.shortText(message.name, 0, MAX_CHANNEL_BYTES, 'a channel');
      out.raw(message.payload);
      break;
    case 'sleep':
      out.u16(message.seq, 'seq');
      out.varint(message.seconds, 'seconds');
      break;
    case 'extended':
      out.u8(message.kind, 'kind');
      out.raw(message.body);
      break;
  }
}

/** §3.1 */
function writeEmit(out: Writer, message: Emit): void {
  const { qos, seq, name, id, gatewayId, payload } = message;
  if (qos > 0 && seq === undefined) throw unencodable(`an emit of QoS ${qos} needs a sequence number`);
  if (name === undefined && id === undefined) throw unencodable('an emit needs a name or an id');
  if (name !== undefined && (id !== undefined || gatewayId === true))
    throw unencodable('an emit has a name or an id, not both');
  writeEmitBody(out, qos, seq, name, id, payload);
}

function writeEmitBody(
  out: Writer,
  qos: Qos,
  seq: number | undefined,
  name: string | undefined,
  id: number | undefined,
  payload: Uint8Array,
): void {
  if (qos > 0) out.u16(seq as number, 'seq');
  if (name !== undefined) out.shortText(name, 1, MAX_CHANNEL_BYTES, 'a channel');
  else out.varint(id as number, 'id');
  out.raw(payload);
}

/** What stands before an emit's payload. Of `name` and `id` one is undefined. */
export interface EmitHeader {
  readonly qos: Qos;
  readonly retain: boolean;
  /** For `qos` > 0. */
  readonly seq: number;
  readonly name: string | undefined;
  readonly id: number | undefined;
  readonly gatewayId: boolean;
}

/**
 * Writes an emit with L; `size` is what it has without (`emitSize`). For the many that need no object of their own: all fields are
 * always there.
 */
export function writeLongEmit(out: Writer, emit: EmitHeader, payload: Uint8Array, size: number): void {
  const { qos, retain, seq, name, id, gatewayId } = emit;
  writeLongHead(out, emitHead(qos, retain, name !== undefined, gatewayId), size);
  writeEmitBody(out, qos, seq, name, id, payload);
}

/** Makes room for a message of `size` bytes without L, and writes its head and L. */
export function writeLongHead(out: Writer, head: number, size: number): void {
  out.reserve(size + lengthSize(size));
  out.bytes[out.at] = head | HEAD.LENGTH;
  if (size > 0x80) out.at = writeVarint(out.bytes, out.at + 1, size - 1);
  else {
    out.bytes[out.at + 1] = size - 1;
    out.at += 2;
  }
}

function writeHello(out: Writer, message: Hello): void {
  out.u8(message.version, 'version');
  out.u8((message.clean ? 1 : 0) | (message.program ? 2 : 0), 'flags');
  out.u32(message.nonce, 'nonce');
  out.u32(message.token, 'token');
  out.u16(message.received, 'received');
  out.u16(message.keepAlive, 'keepAlive');
  out.varint(message.expiry, 'expiry');
  out.varint(message.maxPacket, 'maxPacket', MIN_MAX_PACKET_BYTES);
  out.varint(message.window, 'window', 0, MAX_WINDOW);
  out.varint(message.inFlight, 'inFlight');
  out.varint(message.buffer, 'buffer');
  out.varint(message.ids, 'ids');
  out.shortText(message.identity, 0, MAX_SHORT_TEXT, 'an identity');
  const { cookie, proof, user, secret } = message;
  if (cookie !== undefined) {
    out.u8(COOKIE_OPTION, 'option');
    out.u8(COOKIE_BYTES, 'length');
    out.u32(cookie, 'cookie');
  }
  if (proof) writeOption(out, PROOF_OPTION, proof);
  if (user !== undefined) {
    out.u8(USER_OPTION, 'option');
    out.shortText(user, 1, MAX_OPTION_BYTES, 'a user');
  }
  if (secret) writeOption(out, SECRET_OPTION, secret);
}

function writeOption(out: Writer, type: number, value: Uint8Array): void {
  out.u8(type, 'option');
  out.u8(value.length, 'length');
  out.raw(value);
}

function writeWelcome(out: Writer, message: Welcome): void {
  const { resumed, continues, known } = message;
  out.u8(message.version, 'version');
  out.u8((resumed ? 1 : 0) | (continues ? 2 : 0) | (known ? 4 : 0), 'flags');
  out.u32(message.nonce, 'nonce');
  out.u32(message.token, 'token', 1);
  out.u16(message.nextIn, 'nextIn');
  out.u16(message.nextOut, 'nextOut');
  out.u16(message.received, 'received');
  out.u16(message.keepAlive, 'keepAlive');
  out.varint(message.maxPacket, 'maxPacket', MIN_MAX_PACKET_BYTES);
  out.varint(message.window, 'window', 0, MAX_WINDOW);
  out.varint(message.ids, 'ids');
  out.u48(message.time, 'time');
  const { taken = new Uint8Array() } = message;
  for (let at = 0; at < taken.length; at += MAX_OPTION_BYTES) {
    writeOption(out, TAKEN_OPTION, taken.subarray(at, at + MAX_OPTION_BYTES));
  }
  if (message.proof) writeOption(out, PROOF_OPTION, message.proof);
}
