import type { Interest } from '../../../src/bridges/upstream.js';
import { hasExpired, type MessageProperties } from '../../../src/router/message.js';
import { lowerQos } from '../../../src/router/subscriber.js';
import type { Qos } from '../../../src/wire/messages.js';
import type { VirtualClock } from '../virtual-clock.js';

/** So many messages of QoS 1 and 2 are under way to a client before it has to acknowledge one. */
const MAX_UNACKNOWLEDGED = 20;

/** A message as the broker has it. */
export interface RemoteMessage {
  readonly name: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
  readonly via: readonly string[];
  readonly expiresAt: number | undefined;
}

/** What is sent to a client; with a number it is sent again until that is acknowledged. */
export interface Given {
  readonly number: number | undefined;
  readonly message: RemoteMessage;
  readonly qos: Qos;
  readonly stored: boolean;
}

/** Where clients connect to. While it is `isolated` it takes part in nothing that needs the others. */
export class BrokerNode {
  readonly name: string;
  up = true;
  isolated = false;
  /** What waits for the others to be reached again. */
  readonly waiting: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  reaches(other: BrokerNode): boolean {
    return this === other || !(this.isolated || other.isolated);
  }

  /** Runs `task` once the others can be reached, in the order of the calls. */
  whenJoined(task: () => void): void {
    if (this.isolated) this.waiting.push(task);
    else task();
  }
}

/** The connection of a client as its session sees it. */
export interface Consumer {
  readonly node: BrokerNode;
  give(given: Given): void;
  /** The broker ends it. */
  cut(): void;
}

/** What the broker keeps of a client, connected or not. */
export class BrokerSession {
  readonly client: string;
  consumer: Consumer | undefined;
  interests: readonly Interest[] = [];
  readonly held: Given[] = [];
  readonly #clock: VirtualClock;
  #given = 0;
  #numbers = 0;

  constructor(client: string, clock: VirtualClock) {
    this.client = client;
    this.#clock = clock;
  }

  /** What is not acknowledged is sent again. */
  attach(consumer: Consumer): void {
    this.consumer?.cut();
    this.consumer = consumer;
    this.#given = 0;
    this.pump();
  }

  detach(consumer: Consumer): void {
    if (this.consumer === consumer) this.consumer = undefined;
  }

  take(message: RemoteMessage, wanted: Qos, stored: boolean, from?: BrokerNode): void {
    const qos = lowerQos(message.qos, wanted);
    if (qos === 0) {
      if (this.consumer && from && !from.reaches(this.consumer.node)) return;
      this.consumer?.give({ number: undefined, message, qos, stored });
      return;
    }
    this.held.push({ number: ++this.#numbers, message, qos, stored });
    this.pump();
  }

  /** All up to that number. */
  acknowledge(number: number): void {
    while (this.held[0]?.number !== undefined && this.held[0].number <= number) {
      this.held.shift();
      this.#given = Math.max(0, this.#given - 1);
    }
    this.pump();
  }

  pump(): void {
    for (;;) {
      const next = this.held[this.#given];
      if (!next || !this.consumer || this.consumer.node.isolated || this.#given >= MAX_UNACKNOWLEDGED) return;
      if (hasExpired(next.message, this.#clock.now())) {
        this.held.splice(this.#given, 1);
        continue;
      }
      this.#given++;
      this.consumer.give(next);
    }
  }
}
