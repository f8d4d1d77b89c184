import type { MessageProperties } from '../router/message.js';
import type { QueuedMessage } from './upstream.js';

/** What the queue knows of a message besides what is in it. */
export interface Held {
  readonly record: number;
  /** What it takes of the queue's bytes. */
  readonly bytes: number;
}

/** A message of the queue in memory. */
export class WaitingMessage implements QueuedMessage, Held {
  readonly name: string;
  readonly payload: Uint8Array;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
  readonly via: readonly string[];
  readonly expiresAt: number | undefined;
  readonly record: number;
  readonly at: number;
  bytes = 0;
  /** Of the store, with which it is committed; 0 if it is already. */
  batch = 0;

  constructor(message: Omit<QueuedMessage, 'record' | 'at'>, record: number, at: number) {
    this.name = message.name;
    this.payload = message.payload;
    this.qos = message.qos;
    this.retain = message.retain;
    this.properties = message.properties;
    this.via = message.via;
    this.expiresAt = message.expiresAt;
    this.record = record;
    this.at = at;
  }
}
