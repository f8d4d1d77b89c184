import type { MqttRecorder } from '../../mqtt/session/contract.js';
import { OutgoingPublish } from '../../mqtt/session/outgoing-publish.js';
import type { SubscribeOptions } from '../../router/subscriber.js';
import { withTime } from '../../store/extras.js';
import {
  mqttKeys,
  type StoredMqttSession,
  type StoredMqttState,
  writeMqttState,
  writeMqttSubscription,
  writeMqttWill,
  writePublish,
} from '../../store/mqtt-records.js';
import type { Recorded, Store } from '../../store/store.js';
import type { StandingWill } from '../wills.js';

/** All that is to be said of a packet identifier stands in the key of its record. */
const TAKEN = new Uint8Array();

/**
 * Keeps one MQTT session in the store (PROTOCOL.md §5.1). Of one that ends with its connection nothing is kept; but what acknowledges
 * its messages waits for the store like any other.
 */
export class MqttRecord implements MqttRecorder, Recorded {
  readonly #store: Store;
  readonly #clientId: string;
  readonly #durable: boolean;
  readonly #state: () => Omit<StoredMqttState, 'records'>;
  #lastRecord: number;
  #mark = 0;
  #removed = false;
  /** Records that it has besides its own. */
  #records = 0;
  readonly #filters = new Set<string>();
  #hasWill = false;

  /** `stored`: what the store holds of it already. */
  constructor(
    store: Store,
    clientId: string,
    durable: boolean,
    state: () => Omit<StoredMqttState, 'records'>,
    stored?: StoredMqttSession,
  ) {
    this.#store = store;
    this.#clientId = clientId;
    this.#durable = durable;
    this.#state = state;
    this.#lastRecord = stored?.messages.at(-1)?.record ?? 0;
    if (!stored) return;
    this.#records = stored.messages.length + stored.taken.length;
    for (const { filter } of stored.subscriptions) this.#filters.add(filter);
    this.#hasWill = stored.will !== undefined;
  }

  /** The batch that has to be committed before a packet which is made now may leave. */
  get mark(): number {
    return this.#mark;
  }

  /** What is sent now tells what has changed until now. */
  received(): void {
    this.#mark = this.#store.lastChange;
  }

  /** What only the gateway goes by changed. */
  touch(): void {
    if (this.#durable && !this.#removed) this.#store.changed(this);
  }

  record(): void {
    const records = this.#records + this.#filters.size + (this.#hasWill ? 1 : 0);
    this.#store.put(mqttKeys.session(this.#clientId), writeMqttState({ ...this.#state(), records }));
  }

  outgoing(item: OutgoingPublish): void {
    if (!this.#durable) return;
    if (item.record === 0) {
      item.record = ++this.#lastRecord;
      this.#records++;
    }
    const { topic, qos, retain, stage, id, at, extras, identifiers, payload, record } = item;
    this.#store.put(
      mqttKeys.message(this.#clientId, record),
      writePublish({
        topic,
        qos,
        retain,
        stage,
        id,
        at: this.#store.time(at),
        extras: withTime(extras, (time) => this.#store.time(time)),
        ...(identifiers && { identifiers: [...identifiers] }),
        payload,
      }),
    );
    this.touch();
    // The client must not see at QoS 2 what might come again, under another identifier, after a restart.
    if (qos === 2 && id > 0) this.received();
  }

  settled(item: OutgoingPublish): void {
    if (!this.#durable || item.record === 0) return;
    this.#records--;
    this.#store.delete(mqttKeys.message(this.#clientId, item.record));
    this.touch();
  }

  taken(id: number): void {
    if (!this.#durable) return;
    this.#records++;
    this.#store.put(mqttKeys.taken(this.#clientId, id), TAKEN);
    this.touch();
  }

  released(id: number): void {
    if (!this.#durable) return;
    this.#records--;
    this.#store.delete(mqttKeys.taken(this.#clientId, id));
    this.touch();
  }

  subscribed(filter: string, options: SubscribeOptions): void {
    if (!this.#durable) return;
    this.#filters.add(filter);
    this.#store.put(mqttKeys.subscription(this.#clientId, filter), writeMqttSubscription(options));
    this.touch();
  }

  unsubscribed(filter: string): void {
    if (!this.#filters.delete(filter)) return;
    this.#store.delete(mqttKeys.subscription(this.#clientId, filter));
    this.touch();
  }

  /** One without a name takes the will back. */
  will({ name, qos, retain, payload, expiryMs, properties }: StandingWill): void {
    if (!this.#durable || (name === '' && !this.#hasWill)) return;
    this.#hasWill = name !== '';
    const key = mqttKeys.will(this.#clientId);
    if (!this.#hasWill) this.#store.delete(key);
    else
      this.#store.put(
        key,
        writeMqttWill({
          name,
          qos,
          retain,
          payload,
          ...(expiryMs !== undefined && { expiryMs }),
          extras: properties && { properties },
        }),
      );
    this.touch();
  }

  /** The session is over. */
  remove(outgoing: Iterable<OutgoingPublish>, taken: Iterable<number>): void {
    if (!this.#durable) return;
    for (const item of outgoing) this.settled(item);
    for (const id of taken) this.released(id);
    for (const filter of this.#filters) this.unsubscribed(filter);
    if (this.#hasWill) this.#store.delete(mqttKeys.will(this.#clientId));
    this.#removed = true;
    this.#store.forget(this);
    this.#store.delete(mqttKeys.session(this.#clientId));
  }
}

/** The messages of a session as its engine takes them up at `now`, ms of the process's clock. */
export function outgoingOf({ messages }: StoredMqttSession, now: number, store: Store): OutgoingPublish[] {
  const since = now - store.time(now);
  return messages.map(({ extras, identifiers, stage, id, record, at, ...content }) => {
    const kept = { ...content, identifiers, extras: withTime(extras, (time) => time + since) };
    const item = new OutgoingPublish(kept, at + since);
    item.stage = stage;
    item.id = id;
    item.record = record;
    return item;
  });
}
