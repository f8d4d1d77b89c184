import { z } from 'zod';
import type { MessageExtras } from '../router/message.js';
import { readExtras, writeExtras } from './extras.js';
import { DamagedRecord, principal } from './records.js';

/**
 * How the store writes MQTT sessions down: one record a thing, as in `records.ts`. What carries a payload is a JSON head behind its
 * length, extras if there are any, and the payload.
 */

const qos = z.union([z.literal(0), z.literal(1), z.literal(2)]);

const sessionState = z.strictObject({
  /** How long it outlives its connection, ms. */
  expiryMs: z.number(),
  /** When it expires, ms on the store's clock; null while it is connected. */
  expiresAt: z.number().nullable(),
  willDelayMs: z.number(),
  /** Its connection is lost, and its will not emitted yet. */
  willDue: z.boolean(),
  principal,
  /** How many messages, subscriptions, wills and packet identifiers it has: if fewer are found, the disk has lost some. */
  records: z.int(),
});
export type StoredMqttState = z.output<typeof sessionState>;

/** Whether `extras` stand before the payload. */
const withExtras = z.boolean();

/** What follows the head of a record. */
interface Body {
  readonly payload: Uint8Array;
  readonly extras: MessageExtras | undefined;
}

const publish = z.strictObject({
  topic: z.string(),
  qos,
  retain: z.boolean(),
  stage: z.enum(['waiting', 'published', 'released']),
  /** Its packet identifier; 0 while it waits. */
  id: z.int(),
  /** When it came, ms on the store's clock. */
  at: z.number(),
  identifiers: z.array(z.int()).exactOptional(),
  withExtras,
});
/** A message on its way to a client; its times are of the store's clock. */
export type StoredPublish = Omit<z.output<typeof publish>, 'withExtras'> &
  Body & {
    /** In the order in which messages came. */
    readonly record: number;
  };

const subscription = z.strictObject({
  qos,
  noLocal: z.boolean(),
  noLastValue: z.boolean(),
  retainAsPublished: z.boolean().optional(),
  subscriptionId: z.int().optional(),
});
export interface StoredMqttSubscription {
  readonly filter: string;
  readonly options: z.output<typeof subscription>;
}

const will = z.strictObject({
  name: z.string(),
  qos,
  retain: z.boolean(),
  expiryMs: z.number().exactOptional(),
  withExtras,
});
export type StoredMqttWill = Omit<z.output<typeof will>, 'withExtras'> & Body;

export interface StoredMqttSession {
  readonly clientId: string;
  readonly state: StoredMqttState;
  /** In the order in which they came. */
  readonly messages: readonly StoredPublish[];
  readonly subscriptions: readonly StoredMqttSubscription[];
  readonly will: StoredMqttWill | undefined;
  /** Packet identifiers of QoS 2 that the client has not released. */
  readonly taken: readonly number[];
}

/** Digits of a record's number in its key, in base 36: the order of keys is that of the numbers. */
const RECORD_DIGITS = 11;

// A client id may hold anything, `/` too.
export const mqttKeys = {
  session: (clientId: string) => `mqtt/${encodeURIComponent(clientId)}`,
  message: (clientId: string, record: number) =>
    `mqtt-message/${encodeURIComponent(clientId)}/${record.toString(36).padStart(RECORD_DIGITS, '0')}`,
  subscription: (clientId: string, filter: string) =>
    `mqtt-subscription/${encodeURIComponent(clientId)}/${filter}`,
  taken: (clientId: string, id: number) => `mqtt-taken/${encodeURIComponent(clientId)}/${id}`,
  will: (clientId: string) => `mqtt-will/${encodeURIComponent(clientId)}`,
};

export function writeMqttState(state: StoredMqttState): Uint8Array {
  return Buffer.from(JSON.stringify(state));
}

export function writePublish(message: Omit<StoredPublish, 'record'>): Uint8Array {
  return writeBehindHead(message);
}

export function writeMqttSubscription(options: StoredMqttSubscription['options']): Uint8Array {
  return Buffer.from(JSON.stringify(options));
}

export function writeMqttWill(will: StoredMqttWill): Uint8Array {
  return writeBehindHead(will);
}

function writeBehindHead({ payload, extras, ...head }: Body): Uint8Array {
  const text = Buffer.from(JSON.stringify({ ...head, withExtras: extras !== undefined }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, ...(extras ? [writeExtras(extras)] : []), payload]);
}

function readBehindHead<Head extends { withExtras: boolean }>(
  schema: z.ZodType<Head>,
  value: Uint8Array,
): Omit<Head, 'withExtras'> & Body {
  const record = Buffer.from(value.buffer, value.byteOffset, value.length);
  const end = 4 + record.readUInt32BE();
  const { withExtras, ...head } = readJson(schema, record.subarray(4, end));
  const behind = record.subarray(end);
  const { extras, rest } = withExtras ? readExtras(behind) : { extras: undefined, rest: behind };
  return { ...head, extras, payload: new Uint8Array(rest) };
}

function readJson<T>(schema: z.ZodType<T>, value: Uint8Array): T {
  return schema.parse(JSON.parse(Buffer.from(value).toString()));
}

interface Collected {
  state: StoredMqttState | undefined;
  readonly messages: StoredPublish[];
  readonly subscriptions: StoredMqttSubscription[];
  will: StoredMqttWill | undefined;
  readonly taken: number[];
}

/** Puts MQTT sessions together from their records. */
export class MqttContentsReader {
  readonly #sessions = new Map<string, Collected>();

  /**
   * Takes a record, of kind `mqtt…`; `owner` and `rest` are what follows in its key. Returns false if it knows no such kind.
   * @throws an error when it is not as it was written
   */
  add(kind: string, owner: string, rest: string, value: Uint8Array): boolean {
    switch (kind) {
      case 'mqtt':
        this.#collected(owner).state = readJson(sessionState, value);
        return true;
      case 'mqtt-message': {
        const record = Number.parseInt(rest, 36);
        this.#collected(owner).messages.push({ ...readBehindHead(publish, value), record });
        return true;
      }
      case 'mqtt-subscription':
        this.#collected(owner).subscriptions.push({ filter: rest, options: readJson(subscription, value) });
        return true;
      case 'mqtt-taken':
        this.#collected(owner).taken.push(Number(rest));
        return true;
      case 'mqtt-will':
        this.#collected(owner).will = readBehindHead(will, value);
        return true;
      default:
        return false;
    }
  }

  /** @throws DamagedRecord when records are missing */
  sessions(): StoredMqttSession[] {
    return Array.from(this.#sessions, ([owner, { state, messages, subscriptions, will, taken }]) => {
      const clientId = decodeURIComponent(owner);
      if (!state) throw new DamagedRecord(`the MQTT session of "${clientId}" is missing`);
      const records = messages.length + subscriptions.length + taken.length + (will ? 1 : 0);
      if (records !== state.records)
        throw new DamagedRecord(
          `${records} of the ${state.records} records of "${clientId}" (MQTT) are left`,
        );
      messages.sort((a, b) => a.record - b.record);
      return { clientId, state, messages, subscriptions, will, taken };
    });
  }

  #collected(owner: string): Collected {
    const known = this.#sessions.get(owner) ?? {
      state: undefined,
      messages: [],
      subscriptions: [],
      will: undefined,
      taken: [],
    };
    this.#sessions.set(owner, known);
    return known;
  }
}
