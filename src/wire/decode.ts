import { controlTypeOf, HEAD, qosOf } from './head.js';
import { MAX_CHANNEL_BYTES } from './limits.js';
import type { Emit, Message, Qos } from './messages.js';
import { type Control, readControl } from './read-control.js';
import { Reader } from './reader.js';

export { MalformedPacket } from './malformed.js';

/** Who sent a packet: some messages may come from one side only (PROTOCOL.md §3.2). */
export type Side = 'peer' | 'gateway';

const ONLY_FROM: { readonly [type in Control['type']]?: Side } = {
  hello: 'peer',
  welcome: 'gateway',
  begin: 'peer',
  subscribe: 'peer',
  unsubscribe: 'peer',
  will: 'peer',
  sleep: 'peer',
};

/**
 * The messages of a packet that `from` sent (PROTOCOL.md §3), at least one. All of it is checked before anything is returned.
 * Payloads, bitmaps, details and bodies are views of `packet`, not copies: copy what outlives it. Whether a name, pattern or
 * identity keeps the rules of §4.1 and §6 is not judged here, only that it is UTF-8 of a length that the format allows.
 * @throws MalformedPacket when any message in it is malformed, has bit F (reason `unsupported`, §10), or is a HELLO of
 * another version whose later fields cannot be read (reason `version`, §4.6)
 */
export function decodePacket(packet: Uint8Array, from: Side): Message[] {
  const reader = new PacketReader(packet, from);
  const messages: Message[] = [];
  do messages.push(reader.next());
  while (!reader.done);
  return messages;
}

/** Reads a packet message by message; what `decodePacket` says of it holds here too. Checks nothing beyond what was read. */
export class PacketReader {
  readonly #reader: Reader;
  readonly #from: Side;

  constructor(packet: Uint8Array, from: Side) {
    this.#reader = new Reader(packet);
    this.#from = from;
  }

  get done(): boolean {
    return this.#reader.at >= this.#reader.bytes.length;
  }

  /** @throws MalformedPacket as `decodePacket` does */
  next(): Message {
    return readMessage(this.#reader, this.#from);
  }
}

function readMessage(reader: Reader, from: Side): Message {
  const start = reader.at;
  reader.end = reader.bytes.length;
  reader.reason = 'malformed';
  reader.head = 0;
  const head = reader.u8('a message');
  reader.head = head;
  if ((head & HEAD.ALWAYS) === 0) throw reader.malformed('a message begins with a byte from 80 on', start);
  if ((head & HEAD.LENGTH) !== 0) {
    const length = reader.varint('the length');
    if (length > reader.end - reader.at) {
      throw reader.malformed(`a message of ${length} more bytes is cut short by the end of the packet`);
    }
    reader.end = reader.at + length;
  }
  const qos = qosOf(head);
  if (qos !== 3) return readEmit(reader, head, qos);

  const type = controlTypeOf(head);
  const side = ONLY_FROM[type];
  if (side !== undefined && side !== from) {
    throw reader.malformed(`${type.toUpperCase()} can only come from a ${side}`, start);
  }
  const message = readControl(reader, type, from);
  if (reader.at < reader.end) {
    throw reader.malformed(`${type.toUpperCase()} has ${reader.end - reader.at} bytes too many`);
  }
  return message;
}

/** §3.1 */
function readEmit(reader: Reader, head: number, qos: Qos): Emit {
  if ((head & HEAD.FRAGMENT) !== 0) {
    reader.reason = 'unsupported';
    throw reader.malformed('fragments (bit F) are not part of version 1');
  }
  const retain = (head & HEAD.RETAIN) !== 0;
  const gatewayId = (head & HEAD.GATEWAY_ID) !== 0;
  if ((head & HEAD.NAME) !== 0) {
    if (gatewayId) throw reader.malformed('an emit with a name (bit N) cannot have bit G');
    if (qos === 0) {
      const name = reader.shortText(1, MAX_CHANNEL_BYTES, 'the channel');
      return { type: 'emit', qos, retain, name, payload: reader.rest() };
    }
    const seq = reader.u16('seq');
    const name = reader.shortText(1, MAX_CHANNEL_BYTES, 'the channel');
    return { type: 'emit', qos, retain, seq, name, payload: reader.rest() };
  }
  if (qos === 0) {
    const id = reader.varint('the id');
    return { type: 'emit', qos, retain, id, gatewayId, payload: reader.rest() };
  }
  const seq = reader.u16('seq');
  const id = reader.varint('the id');
  return { type: 'emit', qos, retain, seq, id, gatewayId, payload: reader.rest() };
}
