// A peer that sends one message every few milliseconds, and one that gets it: how long each is on its way.
import { serve } from '../helper.js';
import { BenchFailure } from '../row.js';
import { quantile } from '../spread.js';
import { Tally } from './payload.js';
import { openEnd } from './raw-traffic.js';
import type { TcpLoad, TcpTarget } from './tcp-load.js';
import type { SendBlock } from './traffic.js';

const EVERY_MS = 2;
/** What is not there so long after the last one was sent is lost, ms. */
const PATIENCE_MS = 10_000;

/** How long messages were on their way, ms. */
export interface Waits {
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

class PolitePeer {
  readonly #cycle: number;
  readonly #sentAt: number[] = [];
  #waits: number[] = [];
  #sent = 0;
  #send: SendBlock = () => {};
  #failure: Error | undefined;
  #arrived: (() => void) | undefined;

  constructor(load: TcpLoad) {
    this.#cycle = load.cycle;
  }

  async open(load: TcpLoad, target: TcpTarget): Promise<void> {
    const fail = (error: Error): void => {
      this.#failure ??= error;
      this.#arrived?.();
    };
    const tally = new Tally(0, load, () => {
      this.#waits.push(performance.now() - (this.#sentAt[this.#waits.length] as number));
      this.#arrived?.();
    });
    await openEnd(load, target, { kind: 'subscriber', number: 0, tally }, fail);
    this.#send = await openEnd(load, target, { kind: 'publisher', number: 0, acknowledged: () => {} }, fail);
  }

  /** @throws BenchFailure when a message was lost, repeated or changed */
  async round(ms: number): Promise<Waits> {
    this.#waits = [];
    const until = performance.now() + ms;
    for (let n = 0; performance.now() < until; n++) {
      this.#sentAt[n] = performance.now();
      this.#sentAt.length = n + 1;
      this.#send(this.#sent++ % this.#cycle);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    await this.#allArrived();
    if (this.#failure) throw this.#failure;
    const waits = this.#waits.sort((a, b) => a - b);
    return { p50: quantile(waits, 0.5), p99: quantile(waits, 0.99), longest: quantile(waits, 1) };
  }

  #allArrived(): Promise<void> {
    return new Promise((resolve, reject) => {
      const lost = () =>
        reject(new BenchFailure(`${this.#waits.length} of ${this.#sentAt.length} messages came`));
      const timer = setTimeout(lost, PATIENCE_MS);
      this.#arrived = () => {
        if (this.#waits.length < this.#sentAt.length && !this.#failure) return;
        clearTimeout(timer);
        resolve();
      };
      this.#arrived();
    });
  }
}

let peer: PolitePeer | undefined;
serve({
  open: async ({ load, target }: { load: TcpLoad; target: TcpTarget }) => {
    peer = new PolitePeer(load);
    await peer.open(load, target);
  },
  round: (ms: number) => peer?.round(ms),
});
