import type { MqttRecorder, MqttSessionState } from '../../../src/mqtt/session/contract.js';
import {
  OutgoingPublish,
  type OutgoingStage,
  type PublishContent,
} from '../../../src/mqtt/session/outgoing-publish.js';

interface Message {
  readonly content: PublishContent;
  readonly stage: OutgoingStage;
  readonly id: number;
  readonly at: number;
}

/**
 * A store as plain as can be: what is written counts once it is committed, and packets leave when all that was written before is.
 * When the process is killed the rest is as if it had never been.
 */
export class KeptSession implements MqttRecorder {
  readonly #messages = new Map<number, Message>();
  readonly #taken = new Set<number>();
  /** What came of the client's emits, in order. */
  readonly effects: string[] = [];
  #lastRecord = 0;
  #writes: (() => void)[] = [];
  #held: (() => void)[] = [];

  outgoing(item: OutgoingPublish): void {
    if (item.record === 0) item.record = ++this.#lastRecord;
    const { record, stage, id, at } = item;
    this.#writes.push(() => this.#messages.set(record, { content: item, stage, id, at }));
  }

  settled({ record }: OutgoingPublish): void {
    if (record === 0) throw new Error('it was never told of that message');
    this.#writes.push(() => this.#messages.delete(record));
  }

  taken(id: number): void {
    this.#writes.push(() => this.#taken.add(id));
  }

  released(id: number): void {
    this.#writes.push(() => this.#taken.delete(id));
  }

  received(): void {}

  /** Something else that is kept in the same store. */
  write(change: () => void): void {
    this.#writes.push(change);
  }

  /** Runs `send` when all that was written before is committed. */
  afterwards(send: () => void): void {
    if (this.#writes.length === 0 && this.#held.length === 0) send();
    else this.#held.push(send);
  }

  commit(): void {
    for (const write of this.#writes.splice(0)) write();
    for (const send of this.#held.splice(0)) send();
  }

  /** The connection is gone, and what waited to be sent over it. */
  cut(): void {
    this.#held = [];
  }

  /** The process is killed. Returns what the next one finds. */
  kill(): MqttSessionState {
    this.#writes = [];
    this.#held = [];
    const records = [...this.#messages.keys()].sort((a, b) => a - b);
    this.#lastRecord = records.at(-1) ?? 0;
    return { outgoing: records.map((record) => this.#restored(record)), taken: [...this.#taken] };
  }

  #restored(record: number): OutgoingPublish {
    const { content, stage, id, at } = this.#messages.get(record) as Message;
    return Object.assign(new OutgoingPublish(content, at), { record, stage, id });
  }
}
