import { z } from 'zod';
import type { QueuedMessage } from '../bridges/upstream.js';
import type { MessageProperties } from '../router/message.js';
import { readExtras, writeExtras } from './extras.js';
import { MessageIndex } from './message-index.js';
import { DamagedRecord } from './records.js';

/** How the store writes down what it keeps of bridges: one record a thing, as in `records.ts`. */

const bridgeState = z.strictObject({
  /** Random, made with this record: with the number of a message it names that message to upstream. */
  instance: z.string(),
  /** The highest number that a message of it has had. */
  lastRecord: z.int(),
  /** How many messages, and records of its upstream, it has: if fewer are found, the disk has lost some. */
  records: z.int(),
});
export type BridgeState = z.output<typeof bridgeState>;

/** What is kept of a bridge. Its messages stay on the disk until it is their turn. */
export interface StoredBridge {
  readonly state: BridgeState;
  readonly messages: MessageIndex;
  readonly upstream: ReadonlyMap<string, Uint8Array>;
}

/** Digits of a record's number in its key, in base 36: the order of keys is that of the numbers. */
const RECORD_DIGITS = 11;

// The name of a bridge holds no `/`.
export const bridgeKeys = {
  state: (bridge: string) => `bridge/${bridge}`,
  message: (bridge: string, record: number) =>
    `bridge-message/${bridge}/${record.toString(36).padStart(RECORD_DIGITS, '0')}`,
  upstream: (bridge: string, key: string) => `bridge-upstream/${bridge}/${key}`,
};

/** Whether that is the key of a message that waits for a bridge: it is read when its turn comes, and may be damaged until then. */
export function isQueued(key: string): boolean {
  return key.startsWith('bridge-message/');
}

/** The number in the key of a message. */
export function recordInKey(key: string): number {
  return Number.parseInt(key.slice(-RECORD_DIGITS), 36);
}

export function writeBridgeState(state: BridgeState): Uint8Array {
  return Buffer.from(JSON.stringify(state));
}

/** What the first byte of a message tells, beside its QoS. */
const QOS = 3;
const RETAIN = 4;
const EXPIRES = 8;
const PROPERTIES = 16;
/** Times that `Date` knows, ms. */
const MAX_TIME_MS = 8.64e15;
/** In front of the name: what was told, when it came, the lengths of the name and of `via`. */
const HEAD_BYTES = 13;

/** A message that waits to be sent upstream. `offset` is what the store's time is when the clock shows 0, ms. */
export function writeQueued(message: Omit<QueuedMessage, 'record'>, offset: number): Uint8Array {
  const { name, payload, qos, retain, properties, via, expiresAt, at } = message;
  const path = via.join();
  const nameBytes = Buffer.byteLength(name);
  const extras = properties && writeExtras({ properties });
  const expiryBytes = expiresAt === undefined ? 0 : 8;
  const length = HEAD_BYTES + expiryBytes + nameBytes + path.length + (extras?.length ?? 0) + payload.length;
  const bytes = Buffer.allocUnsafe(length);
  bytes[0] = qos | (retain ? RETAIN : 0) | (expiryBytes > 0 ? EXPIRES : 0) | (extras ? PROPERTIES : 0);
  bytes.writeDoubleBE(at + offset, 1);
  bytes.writeUInt16BE(nameBytes, 9);
  bytes.writeUInt16BE(path.length, 11);
  let end = HEAD_BYTES;
  if (expiresAt !== undefined) end = bytes.writeDoubleBE(expiresAt + offset, end);
  end += bytes.write(name, end);
  end += bytes.write(path, end, 'latin1');
  if (extras) {
    bytes.set(extras, end);
    end += extras.length;
  }
  bytes.set(payload, end);
  return bytes;
}

/**
 * Reads what `writeQueued` wrote; `offset` may be another one than then. The payload is a view of `value`.
 * @throws an error when it is not as it was written
 */
export function readQueued(value: Uint8Array, offset: number): Omit<QueuedMessage, 'record'> {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  const flags = bytes.readUInt8(0);
  const qos = flags & QOS;
  if (qos !== 1 && qos !== 2) throw new DamagedRecord(`it has QoS ${qos}`);
  const nameAt = HEAD_BYTES + (flags & EXPIRES ? 8 : 0);
  const viaAt = nameAt + bytes.readUInt16BE(9);
  const end = viaAt + bytes.readUInt16BE(11);
  const path = bytes.toString('latin1', viaAt, end);
  let properties: MessageProperties | undefined;
  let payloadAt = end;
  if (flags & PROPERTIES) {
    const { extras, rest } = readExtras(bytes.subarray(end));
    properties = extras.properties;
    payloadAt = value.length - rest.length;
  }
  return {
    name: bytes.toString('utf8', nameAt, viaAt),
    payload: new Uint8Array(value.buffer, value.byteOffset + payloadAt, value.length - payloadAt),
    qos,
    retain: (flags & RETAIN) !== 0,
    properties,
    via: path === '' ? [] : path.split(','),
    expiresAt: flags & EXPIRES ? bytes.readDoubleBE(HEAD_BYTES) - offset : undefined,
    at: bytes.readDoubleBE(1) - offset,
  };
}

/** When the message came, ms on the store's clock; 0 where that cannot be so. */
function timeOf(value: Uint8Array): number {
  const at = value.length < HEAD_BYTES ? 0 : new DataView(value.buffer, value.byteOffset).getFloat64(1);
  return at > 0 && at < MAX_TIME_MS ? at : 0;
}

interface Collected {
  state: BridgeState | undefined;
  readonly messages: MessageIndex;
  readonly upstream: Map<string, Uint8Array>;
}

/** Puts what is kept of bridges together from their records, which come in order of key. */
export class BridgeContentsReader {
  readonly #bridges = new Map<string, Collected>();

  /**
   * Takes a record, of kind `bridge…`; `bridge` and `rest` are what follows in its key. Returns false if it knows no such kind.
   * @throws an error when it is not as it was written
   */
  add(kind: string, bridge: string, rest: string, value: Uint8Array): boolean {
    switch (kind) {
      case 'bridge':
        this.#collected(bridge).state = bridgeState.parse(JSON.parse(Buffer.from(value).toString()));
        return true;
      case 'bridge-message': {
        this.#collected(bridge).messages.push(Number.parseInt(rest, 36), timeOf(value), value.length);
        return true;
      }
      case 'bridge-upstream':
        // Not a view: that would hold on to what it was read in with.
        this.#collected(bridge).upstream.set(rest, Uint8Array.from(value));
        return true;
      default:
        return false;
    }
  }

  /** @throws DamagedRecord when records are missing */
  bridges(): Map<string, StoredBridge> {
    const bridges = new Map<string, StoredBridge>();
    for (const [name, { state, messages, upstream }] of this.#bridges) {
      if (!state) throw new DamagedRecord(`the bridge "${name}" is missing`);
      const records = messages.length + upstream.size;
      if (records !== state.records)
        throw new DamagedRecord(
          `${records} of the ${state.records} records of the bridge "${name}" are left`,
        );
      if (messages.length > 0 && messages.lastRecord > state.lastRecord)
        throw new DamagedRecord(`the bridge "${name}" knows nothing of its last messages`);
      bridges.set(name, { state, messages, upstream });
    }
    return bridges;
  }

  #collected(bridge: string): Collected {
    const known = this.#bridges.get(bridge) ?? {
      state: undefined,
      messages: new MessageIndex(),
      upstream: new Map(),
    };
    this.#bridges.set(bridge, known);
    return known;
  }
}
