import { reasonOf, SlipwayError } from '../errors.js';
import type { Subscribe, Will } from '../wire/messages.js';
import { BridgeContentsReader, isQueued, type StoredBridge } from './bridge-records.js';
import { MqttContentsReader, type StoredMqttSession } from './mqtt-records.js';
import {
  DamagedRecord,
  FORMAT,
  keys,
  readId,
  readLastValue,
  readMessage,
  readNumbering,
  readSession,
  readSubscription,
  readTime,
  readWill,
  type SessionState,
  type StoredId,
  type StoredLastValue,
  type StoredMessage,
  type StoredNumbering,
  type StoredWish,
} from './records.js';
import { contentOf, unseal } from './seal.js';

export interface StoredSession {
  readonly identity: string;
  readonly state: SessionState;
  /** In order: those with a number first, without a gap. */
  readonly messages: readonly StoredMessage[];
  readonly subscriptions: readonly StoredWish<Subscribe>[];
  readonly will: StoredWish<Will> | undefined;
  readonly ids: readonly StoredId[];
}

/** All that a store holds. */
export interface Contents {
  readonly sessions: readonly StoredSession[];
  readonly numberings: readonly (readonly [identity: string, numbering: StoredNumbering])[];
  readonly mqttSessions: readonly StoredMqttSession[];
  readonly lastValues: readonly StoredLastValue[];
  /** By name; also of those that are not in the config any more. */
  readonly bridges: ReadonlyMap<string, StoredBridge>;
  /** What the time was when something was written last, ms on the store's clock; undefined of a new store. */
  readonly time: number | undefined;
}

interface Collected {
  state: SessionState | undefined;
  readonly messages: StoredMessage[];
  readonly subscriptions: StoredWish<Subscribe>[];
  will: StoredWish<Will> | undefined;
  readonly ids: StoredId[];
}

/** Reads and checks all of a store: give it every record, in order of key, then ask for the contents. */
export class ContentsReader {
  readonly #sessions = new Map<string, Collected>();
  readonly #mqtt = new MqttContentsReader();
  readonly #bridges = new BridgeContentsReader();
  readonly #numberings: [string, StoredNumbering][] = [];
  readonly #lastValues: StoredLastValue[] = [];
  #format: number | undefined;
  #time: number | undefined;

  /** @throws DamagedRecord when the record is not as it was written, unless it can be done without */
  add(key: string, sealed: Uint8Array): void {
    try {
      // Nobody wants to lose all for one of a million messages: whose turn it is looks once more.
      if (isQueued(key)) this.#add(key, contentOf(sealed));
      else this.#add(key, unseal(key, sealed));
    } catch (cause) {
      throw new DamagedRecord(`the record "${key}": ${reasonOf(cause)}`, { cause });
    }
  }

  /**
   * @throws DamagedRecord when records are missing; SlipwayError `store_unusable` when another version of Slipway wrote the
   *   store
   */
  contents(): Contents {
    if (this.#format === undefined) throw new DamagedRecord('its first record is missing');
    if (this.#format !== FORMAT.value[0])
      throw new SlipwayError(
        'store_unusable',
        `the store is of version ${this.#format}, which this Slipway does not know: give it another folder (store.path), or the Slipway that wrote it`,
      );
    return {
      sessions: Array.from(this.#sessions, ([identity, found]) => checked(identity, found)),
      numberings: this.#numberings,
      mqttSessions: this.#mqtt.sessions(),
      lastValues: this.#lastValues.sort((a, b) => a.mark - b.mark),
      bridges: this.#bridges.bridges(),
      time: this.#time,
    };
  }

  #add(key: string, value: Uint8Array): void {
    const [kind = '', owner = '', ...more] = key.split('/');
    const rest = more.join('/');
    switch (kind) {
      case FORMAT.key:
        this.#format = value[0];
        return;
      case keys.time:
        this.#time = readTime(value);
        return;
      case 'session':
        this.#collected(owner).state = readSession(value);
        return;
      case 'message':
        this.#collected(owner).messages.push(readMessage(Number.parseInt(rest, 36), value));
        return;
      case 'subscription':
        this.#collected(owner).subscriptions.push(readSubscription(value));
        return;
      case 'will':
        this.#collected(owner).will = readWill(value);
        return;
      case 'id':
        this.#collected(owner).ids.push(readId(more[0] === 'own', Number(more[1]), value));
        return;
      case 'numbering':
        this.#numberings.push([owner, readNumbering(value)]);
        return;
      case 'value':
        this.#lastValues.push(readLastValue(key.slice(kind.length + 1), value));
        return;
      default:
        if (this.#mqtt.add(kind, owner, rest, value)) return;
        if (this.#bridges.add(kind, owner, rest, value)) return;
        throw new DamagedRecord('nothing of that kind is known');
    }
  }

  #collected(identity: string): Collected {
    const known = this.#sessions.get(identity) ?? {
      state: undefined,
      will: undefined,
      messages: [],
      subscriptions: [],
      ids: [],
    };
    this.#sessions.set(identity, known);
    return known;
  }
}

function checked(identity: string, { state, messages, subscriptions, will, ids }: Collected): StoredSession {
  if (!state) throw new DamagedRecord(`the session of "${identity}" is missing`);
  const records = messages.length + subscriptions.length + ids.length + (will ? 1 : 0);
  if (records !== state.records)
    throw new DamagedRecord(`${records} of the ${state.records} records of "${identity}" are left`);
  const waiting = messages.filter(({ numbered }) => !numbered);
  const numbered = messages
    .filter((message) => message.numbered)
    .sort((a, b) => before(b, state.nextOut) - before(a, state.nextOut));
  for (const [i, message] of numbered.entries()) {
    if (before(message, state.nextOut) !== numbered.length - i)
      throw new DamagedRecord(`the messages for "${identity}" have a gap at number ${message.message.seq}`);
  }
  const own = ids.filter(({ own }) => own).sort((a, b) => a.id - b.id);
  for (const [i, { id }] of own.entries()) {
    if (id !== i + 1) throw new DamagedRecord(`id ${i + 1} for "${identity}" is missing`);
  }
  return { identity, state, messages: [...numbered, ...waiting], subscriptions, will, ids };
}

/** How far the message's number is before `next`. */
function before({ message }: StoredMessage, next: number): number {
  return (next - message.seq) & 0xffff;
}
