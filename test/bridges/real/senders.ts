import { setTimeout as sleep } from 'node:timers/promises';
import type { MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import type { Client } from '../../../src/client/client.js';
import { codeOf } from '../../../src/errors.js';
import { BenchUno } from '../../e2e/bench-uno.js';
import { build } from '../../e2e/firmware/build.js';
import { until } from '../../support/gateways.js';
import type { UdpDevice } from '../../support/udp-device.js';
import type { Ledger, SenderBook } from './ledger.js';

/** Messages of one sender that are not acknowledged yet. */
const OPEN = 30;
/** How long it waits when the gateway has no room, ms. */
const REFUSED_MS = 20;

/** The code of who cannot tell what became of a message. */
const UNKNOWN = 'unknown';

/** Sends one message; resolves when it is acknowledged, rejects with the code of a refusal (`queue_full`), or UNKNOWN. */
export type Send = (text: string) => Promise<void>;

/** Sends without pause until it is stopped, at most `rate` messages a second, and writes down what became of it. */
export class Sender {
  readonly book: SenderBook;
  readonly #send: Send;
  readonly #rate: number;
  readonly #began = performance.now();
  #open = 0;
  #stopped = false;
  #waiting = false;
  #failure: unknown;

  constructor(book: SenderBook, send: Send, rate = Number.POSITIVE_INFINITY) {
    this.book = book;
    this.#send = send;
    this.#rate = rate;
    onTestFinished(() => this.stop());
    this.#fill();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Sends that many at once, over and above what flows. */
  burst(count: number): void {
    for (let n = 0; n < count && !this.#stopped; n++) void this.#one();
  }

  /** Stops, and waits until it knows of all that it sent what became of it. */
  async finish(): Promise<void> {
    this.stop();
    await until(() => {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#open > 0) throw new Error(`${this.book.name}: ${this.#open} messages are not acknowledged`);
    });
  }

  #fill(): void {
    while (!this.#stopped && !this.#waiting && this.#open < OPEN) {
      const ahead = (this.book.emitted * 1000) / this.#rate - (performance.now() - this.#began);
      if (ahead > 0) this.#pause(ahead);
      else void this.#one();
    }
  }

  async #one(): Promise<void> {
    const { number, text } = this.book.next();
    this.#open++;
    try {
      await this.#send(text);
      this.book.acknowledged.add(number);
    } catch (error) {
      if (codeOf(error) === 'queue_full') {
        this.book.refused.add(number);
        this.#pause(REFUSED_MS);
      } else if (codeOf(error) !== UNKNOWN) this.#failure ??= error;
    }
    this.#open--;
    if (this.#failure === undefined) this.#fill();
  }

  #pause(ms: number): void {
    if (this.#waiting) return;
    this.#waiting = true;
    setTimeout(() => {
      this.#waiting = false;
      this.#fill();
    }, ms);
  }
}

export function overTcp(client: Client, channel: string, qos: 1 | 2): Send {
  return (text) => client.emit(channel, text, { qos });
}

export function overUdp(device: UdpDevice, channel: string, qos: 1 | 2): Send {
  return (text) =>
    new Promise((resolve, reject) => {
      device.emit(channel, text, qos, (reason) => {
        if (reason === undefined) resolve();
        else reject(Object.assign(new Error(`the gateway refuses: ${reason}`), { code: reason }));
      });
    });
}

/**
 * By the `mqtt` package. It sends again what a lost connection left open, but does not always tell how that ended: with the next one
 * that stands nobody waits for it any more.
 */
export function overMqtt(client: MqttClient, topic: string, qos: 1 | 2): Send {
  client.setMaxListeners(2 * OPEN);
  return (text) =>
    new Promise((resolve, reject) => {
      const unknown = () => {
        client.off('connect', unknown);
        reject(Object.assign(new Error('the connection was lost'), { code: UNKNOWN }));
      };
      client.once('connect', unknown);
      client.publish(topic, text, { qos }, (error) => {
        if (error) return;
        client.off('connect', unknown);
        resolve();
      });
    });
}

/** An Uno that runs the machine code of test/e2e/firmware/load.c: it sends on `load/NAME`, and counts what it sent itself. */
export class UnoSender {
  readonly uno: BenchUno;
  readonly book: SenderBook;

  /** It has no power yet. `everyMs`: between two messages, of its time. */
  static async make(ledger: Ledger, name: string, qos: 1 | 2, everyMs: number): Promise<UnoSender> {
    const defines = [`IDENTITY="${name}"`, `QOS=SLIPWAY_QOS${qos}`, `EVERY_MS=${everyMs}`];
    return new UnoSender(new BenchUno(await build('load.c', ...defines)), ledger.sender(name, qos));
  }

  private constructor(uno: BenchUno, book: SenderBook) {
    this.uno = uno;
    this.book = book;
    onTestFinished(() => uno.stop());
  }

  power(): void {
    this.uno.start();
  }

  /** Tells the board to stop, and waits until it tells how many messages it sent, all of them acknowledged. */
  async finish(client: Client): Promise<void> {
    let total: number | undefined;
    const counted = `counted/${this.book.name}`;
    await client.subscribe(counted, ({ text }) => {
      total = Number(text);
    });
    // Kept, for a board that is not back yet.
    await client.emit('load-stop', 'now', { retain: true });
    await until(() => {
      if (total === undefined) throw new Error(`${this.book.name} has not told how much it sent`);
    });
    this.book.counted(total as unknown as number);
  }
}

/** Tries `send`, for which a second time is as good as one, until it succeeds. */
export function again(send: Send): Send {
  return async (text) => {
    for (;;) {
      try {
        await send(text);
        return;
      } catch {
        await sleep(50);
      }
    }
  };
}
