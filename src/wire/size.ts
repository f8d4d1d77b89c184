import { COOKIE_BYTES, MAX_OPTION_BYTES } from './limits.js';
import type { Hello, Message, Qos } from './messages.js';
import { varintSize } from './varint.js';

/** Bytes of a message without L (PROTOCOL.md §3): its head and its body. */
export function messageSize(message: Message): number {
  switch (message.type) {
    case 'emit':
      return emitSize(message.qos, message.name, message.id, message.payload.length);
    case 'hello':
      return (
        16 +
        varintSize(message.expiry) +
        varintSize(message.maxPacket) +
        varintSize(message.window) +
        varintSize(message.inFlight) +
        varintSize(message.buffer) +
        varintSize(message.ids) +
        Buffer.byteLength(message.identity) +
        helloOptionsSize(message)
      );
    case 'welcome':
      return (
        25 +
        varintSize(message.maxPacket) +
        varintSize(message.window) +
        varintSize(message.ids) +
        takenSize(message.taken?.length ?? 0) +
        optionSize(message.proof)
      );
    case 'begin':
      return 5;
    case 'refuse':
      return 3 + message.detail.length;
    case 'bye':
    case 'ping':
    case 'pong':
      return 2;
    case 'time':
      return message.time === undefined ? 2 : 8;
    case 'ack':
      return 3 + message.bitmap.length;
    case 'declare':
      return 3 + varintSize(message.id) + Buffer.byteLength(message.name);
    case 'subscribe':
      return 4 + varintSize(message.id) + Buffer.byteLength(message.pattern);
    case 'unsubscribe':
      return 3 + Buffer.byteLength(message.pattern);
    case 'reject':
      return 6;
    case 'will':
      return 5 + Buffer.byteLength(message.name) + message.payload.length;
    case 'sleep':
      return 3 + varintSize(message.seconds);
    case 'extended':
      return 2 + message.body.length;
  }
}

/** Bytes of an emit without L (§3.1), addressed by its channel's name or, where that is undefined, by an id. */
export function emitSize(
  qos: Qos,
  name: string | undefined,
  id: number | undefined,
  payloadBytes: number,
): number {
  const target = name === undefined ? varintSize(id ?? 0) : 1 + Buffer.byteLength(name);
  return 1 + (qos > 0 ? 2 : 0) + target + payloadBytes;
}

function helloOptionsSize({ cookie, proof, user, secret }: Hello): number {
  const userSize = user === undefined ? 0 : 2 + Buffer.byteLength(user);
  return (cookie === undefined ? 0 : 2 + COOKIE_BYTES) + optionSize(proof) + userSize + optionSize(secret);
}

function optionSize(value: Uint8Array | undefined): number {
  return value === undefined ? 0 : 2 + value.length;
}

/** Bytes of the options that hold so many bytes of a WELCOME's `taken`. */
export function takenSize(bytes: number): number {
  return bytes + 2 * Math.ceil(bytes / MAX_OPTION_BYTES);
}

/** Bytes of the varint that L adds to such a message: it counts what follows it, so all but the head. */
export function lengthSize(messageBytes: number): number {
  return varintSize(messageBytes - 1);
}
