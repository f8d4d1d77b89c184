import type { Clock } from '../clock.js';
import type { Channel } from '../router/channel.js';
import type { Router } from '../router/router.js';
import type { IdEntry, Recorder } from '../session/contract.js';
import type { SessionEngine } from '../session/engine.js';
import { Outgoing } from '../session/outgoing.js';
import type { StoredSession } from '../store/contents.js';
import {
  DamagedRecord,
  keys,
  type SessionState,
  type StoredId,
  type StoredMessage,
  writeId,
  writeMessage,
  writeSession,
  writeWish,
} from '../store/records.js';
import type { Recorded, Store } from '../store/store.js';
import { messageSize } from '../wire/encode.js';
import type { Message, Subscribe, Will } from '../wire/messages.js';

/** Everything of a session that has a record of its own. */
export interface SessionBelongings {
  readonly outgoing: Iterable<Outgoing<Channel>>;
  readonly patterns: Iterable<string>;
  readonly ids: Iterable<IdEntry<Channel>>;
}

/** Keeps one session in the store (PROTOCOL.md §5.1). */
export class SessionRecord implements Recorder<Channel>, Recorded {
  readonly #store: Store;
  readonly #identity: string;
  readonly #state: () => SessionState;
  #lastRecord: number;
  #mark = 0;
  #removed = false;

  /** `lastRecord` is the greatest number that a message of it already has in the store. */
  constructor(store: Store, identity: string, state: () => SessionState, lastRecord = 0) {
    this.#store = store;
    this.#identity = identity;
    this.#state = state;
    this.#lastRecord = lastRecord;
  }

  /** The batch that has to be committed before a packet which is built now may leave. */
  get mark(): number {
    return this.#mark;
  }

  /** What packets tell changed: they wait for it. */
  received(): void {
    this.#mark = this.#store.batch;
    this.touch();
  }

  /** What only the gateway goes by changed. */
  touch(): void {
    if (!this.#removed) this.#store.changed(this);
  }

  record(): void {
    this.#store.put(keys.session(this.#identity), writeSession(this.#state()));
  }

  outgoing(item: Outgoing<Channel>): void {
    if (item.record === 0) item.record = ++this.#lastRecord;
    const numbered = item.seq >= 0;
    const message = asMessage(item);
    const expires = item.content.type === 'emit' ? item.content.expiresAt : undefined;
    const expiresAt = expires === undefined ? undefined : this.#store.time(expires);
    this.#store.put(
      keys.message(this.#identity, item.record),
      writeMessage({ numbered, at: this.#store.time(item.at), expiresAt, message }),
    );
    // A packet must not give a number to the peer that another message could get after a restart.
    if (numbered) this.received();
    else this.touch();
  }

  settled(item: Outgoing<Channel>): void {
    this.#store.delete(keys.message(this.#identity, item.record));
    this.touch();
  }

  declared({ own, id, channel, usable }: IdEntry<Channel>): void {
    this.#store.put(keys.id(this.#identity, own, id), writeId({ own, id, name: channel.name, usable }));
    this.touch();
  }

  idsCleared(ids: Iterable<Pick<IdEntry<Channel>, 'own' | 'id'>>): void {
    for (const { own, id } of ids) this.#store.delete(keys.id(this.#identity, own, id));
    this.touch();
  }

  /** `nonce` is the boot that made it. */
  subscribed(message: Subscribe, nonce: number): void {
    this.#store.put(keys.subscription(this.#identity, message.pattern), writeWish({ nonce, message }));
    this.touch();
  }

  unsubscribed(pattern: string): void {
    this.#store.delete(keys.subscription(this.#identity, pattern));
    this.touch();
  }

  /** One without a name takes the will back. `nonce` is the boot that made it. */
  will(message: Will, nonce: number): void {
    if (message.name === '') this.#store.delete(keys.will(this.#identity));
    else this.#store.put(keys.will(this.#identity), writeWish({ nonce, message }));
    this.touch();
  }

  /** The session is over. */
  remove({ outgoing, patterns, ids }: SessionBelongings): void {
    for (const { record } of outgoing) this.#store.delete(keys.message(this.#identity, record));
    for (const pattern of patterns) this.#store.delete(keys.subscription(this.#identity, pattern));
    this.idsCleared(ids);
    this.#removed = true;
    this.#store.forget(this);
    this.#store.delete(keys.will(this.#identity));
    this.#store.delete(keys.session(this.#identity));
  }
}

/** By name, whatever ids there are: those have records of their own. */
function asMessage({ content, seq }: Outgoing<Channel>): Message & { readonly seq: number } {
  const numbered = { seq: Math.max(seq, 0) };
  if (content.type === 'emit') {
    const { qos, retain, payload, channel } = content;
    return { type: 'emit', qos, retain, name: channel.name, payload, ...numbered };
  }
  if (content.type === 'declare')
    return { type: 'declare', id: content.id, name: content.channel.name, ...numbered };
  return { ...numbered, ...content };
}

/** The greatest number that a message of the session has. */
export function lastRecordOf({ messages }: StoredSession): number {
  return messages.reduce((greatest, { record }) => Math.max(greatest, record), 0);
}

interface RestoreContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly store: Store | undefined;
}

/**
 * Gives an engine back what the store kept. Returns ids that are lost: all, if the router has no room for the channel of one,
 * since a numbering goes on with all of its ids or not at all.
 */
export function restoreEngine(
  engine: SessionEngine<Channel>,
  { state, messages, ids }: StoredSession,
  { router, clock, store }: RestoreContext,
): readonly StoredId[] {
  const entries = holdAll(ids, router);
  const { maxPacket, window, nextIn, withheld, nextOut } = state;
  const now = clock.now();
  // What the store's time is when the process's clock shows 0.
  const offset = store?.time(0) ?? 0;
  const outgoing = messages.map((message) =>
    asOutgoing(message, router, Math.min(now, message.at - offset), offset),
  );
  const otherLimits = { maxPacket, window };
  engine.restore({ otherLimits, nextIn, withheld, nextOut, outgoing, ids: entries ?? [] });
  return entries ? [] : ids;
}

function holdAll(ids: readonly StoredId[], router: Router): IdEntry<Channel>[] | undefined {
  const entries: IdEntry<Channel>[] = [];
  for (const stored of ids) {
    const channel = router.hold(stored.name);
    if (typeof channel === 'string') {
      for (const held of entries) router.release(held.channel);
      return undefined;
    }
    entries.push({ channel, ...stored });
  }
  return entries;
}

function asOutgoing(
  { record, numbered, expiresAt, message }: StoredMessage,
  router: Router,
  at: number,
  offset: number,
): Outgoing<Channel> {
  const content = contentOf(message, router);
  const expiring = expiresAt === undefined ? content : { ...content, expiresAt: expiresAt - offset };
  const item = new Outgoing<Channel>(expiring, messageSize(message), at);
  item.record = record;
  if (numbered) item.seq = message.seq;
  return item;
}

function contentOf(message: StoredMessage['message'], router: Router): Outgoing<Channel>['content'] {
  switch (message.type) {
    case 'emit': {
      const { qos, retain, payload, name = '' } = message;
      return { type: 'emit', channel: router.find(name), qos, retain, payload };
    }
    case 'declare':
      return { type: 'declare', id: message.id, channel: router.find(message.name) };
    case 'reject':
      return { type: 'reject', of: message.of, reason: message.reason };
    default:
      throw new DamagedRecord(`a gateway sends no ${message.type}`);
  }
}
