import { EmitRun } from './emit-run.js';
import { CONTROL_QOS, controlTypeOf, HEAD, qosOf } from './head.js';
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

/** Reads a packet message by message; what `decodePacket` says of it holds here too, but that each is checked when it is read. */
export class PacketReader {
  readonly #reader: Reader;
  readonly #from: Side;
  /** Up to here runs were looked for. */
  #noRunBefore = 0;

  constructor(packet: Uint8Array, from: Side) {
    this.#reader = new Reader(packet);
    this.#from = from;
  }

  get done(): boolean {
    return this.#reader.at >= this.#reader.bytes.length;
  }

  /** What comes next, to go by its head alone. There must be something. */
  get nextType(): Message['type'] {
    const { bytes, at } = this.#reader;
    const head = bytes[at] as number;
    return qosOf(head) === CONTROL_QOS ? controlTypeOf(head) : 'emit';
  }

  /** @throws MalformedPacket as `decodePacket` does */
  next(): Message {
    const reader = this.#reader;
    const head = beginMessage(reader);
    const qos = qosOf(head);
    return qos === CONTROL_QOS ? readControlMessage(reader, head, this.#from) : readEmit(reader, head, qos);
  }

  /**
   * What comes next, if it is a run that was not offered yet: whoever does not `take` it reads its messages one by one. The packet
   * must have been checked.
   */
  run(): EmitRun | undefined {
    const { bytes, at } = this.#reader;
    if (at < this.#noRunBefore) return undefined;
    const run = EmitRun.at(bytes, at);
    if (run) this.#noRunBefore = run.end;
    return run;
  }

  /** Goes on behind a run that `run` told of. */
  take(run: EmitRun): void {
    this.#reader.at = run.end;
  }

  /**
   * Checks all that is left, and goes back to where it was: what is read then does not throw.
   * @throws MalformedPacket as `decodePacket` does
   */
  check(): void {
    const reader = this.#reader;
    const start = reader.at;
    do {
      const head = beginMessage(reader);
      const qos = qosOf(head);
      if (qos === CONTROL_QOS) readControlMessage(reader, head, this.#from);
      else checkEmit(reader, head, qos);
    } while (!this.done);
    reader.at = start;
  }

  /** What is left, on bytes of its own. */
  rest(): PacketReader {
    const { bytes, at } = this.#reader;
    return new PacketReader(new Uint8Array(bytes.subarray(at)), this.#from);
  }
}

/** Reads head and length. Returns the head. */
function beginMessage(reader: Reader): number {
  reader.start = reader.at;
  reader.end = reader.bytes.length;
  reader.reason = 'malformed';
  reader.head = 0;
  const head = reader.u8('a message');
  reader.head = head;
  if ((head & HEAD.ALWAYS) === 0)
    throw reader.malformed('a message begins with a byte from 80 on', reader.start);
  if ((head & HEAD.LENGTH) !== 0) {
    const length = reader.varint('the length');
    if (length > reader.end - reader.at) {
      throw reader.malformed(`a message of ${length} more bytes is cut short by the end of the packet`);
    }
    reader.end = reader.at + length;
  }
  return head;
}

function readControlMessage(reader: Reader, head: number, from: Side): Message {
  const type = controlTypeOf(head);
  const side = ONLY_FROM[type];
  if (side !== undefined && side !== from) {
    throw reader.malformed(`${type.toUpperCase()} can only come from a ${side}`, reader.start);
  }
  const message = readControl(reader, type, from);
  if (reader.at < reader.end) {
    throw reader.malformed(`${type.toUpperCase()} has ${reader.end - reader.at} bytes too many`);
  }
  return message;
}

/** §3.1. All have the same fields in the same order, which makes a great difference to whoever handles very many. */
function readEmit(reader: Reader, head: number, qos: Qos): Emit {
  const named = checkEmitHead(reader, head);
  return {
    type: 'emit',
    qos,
    retain: (head & HEAD.RETAIN) !== 0,
    seq: qos === 0 ? undefined : reader.u16('seq'),
    name: named ? reader.shortText(1, MAX_CHANNEL_BYTES, 'the channel') : undefined,
    id: named ? undefined : reader.varint('the id'),
    gatewayId: named ? undefined : (head & HEAD.GATEWAY_ID) !== 0,
    payload: reader.rest(),
  };
}

/** Throws where `readEmit` would. */
function checkEmit(reader: Reader, head: number, qos: Qos): void {
  const named = checkEmitHead(reader, head);
  if (qos > 0) reader.u16('seq');
  if (named) reader.skipShortText(1, MAX_CHANNEL_BYTES, 'the channel');
  else reader.varint('the id');
  reader.at = reader.end;
}

/** Returns whether the emit has its channel's name. */
function checkEmitHead(reader: Reader, head: number): boolean {
  if ((head & HEAD.FRAGMENT) !== 0) {
    reader.reason = 'unsupported';
    throw reader.malformed('fragments (bit F) are not part of version 1');
  }
  const named = (head & HEAD.NAME) !== 0;
  if (named && (head & HEAD.GATEWAY_ID) !== 0)
    throw reader.malformed('an emit with a name (bit N) cannot have bit G');
  return named;
}
