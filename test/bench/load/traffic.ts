import { BenchFailure } from '../row.js';
import { Flow } from './flow.js';
import { Tally } from './payload.js';
import type { LoadReport, TcpLoad } from './tcp-load.js';

/** Without any progress for so long, what is on its way is lost, ms. */
const PATIENCE_MS = 10_000;

/** Sends block number so-and-so of a publisher's cycle. */
export type SendBlock = (place: number) => void;

/**
 * Messages on their way from publishers to subscribers: sees that there are always enough, and never too many, that each arrives
 * everywhere, and how long it takes.
 */
export class Traffic {
  readonly tallies: readonly Tally[];
  readonly #load: TcpLoad;
  readonly #flow: Flow;
  readonly #publishers: SendBlock[] = [];
  #publishing = false;
  #published = 0;
  #failure: Error | undefined;
  #settled: (() => void) | undefined;

  constructor(load: TcpLoad) {
    this.#load = load;
    // Acknowledgements count as another subscriber.
    this.#flow = new Flow(load.publishers, load.subscribers + (load.qos > 0 ? 1 : 0), load.window);
    this.tallies = Array.from(
      { length: load.subscribers },
      (_, number) => new Tally(number, load, (publisher, teller) => this.#told(publisher, teller)),
    );
  }

  /** Adds the next publisher. Returns what is to be called when so many more of its messages were acknowledged. */
  addPublisher(send: SendBlock): (count: number) => void {
    const publisher = this.#publishers.push(send) - 1;
    const { block, subscribers } = this.#load;
    let rest = 0;
    return (count) => {
      for (rest += count; rest >= block; rest -= block) this.#told(publisher, subscribers);
    };
  }

  /** Something went wrong: the round that is under way fails, or else the next. */
  readonly fail = (error: Error): void => {
    this.#failure ??= error;
    this.#settled?.();
  };

  /**
   * Publishes for `ms`, and waits until all of it has been received and, at QoS 1, acknowledged.
   * @throws BenchFailure when a message was lost, repeated or changed
   */
  async round(ms: number): Promise<LoadReport> {
    if (this.#failure) throw this.#failure;
    const before = this.#received;
    this.#published = 0;
    const cpu = process.cpuUsage();
    const started = performance.now();
    this.#publishing = true;
    for (let publisher = 0; publisher < this.#publishers.length; publisher++) this.#pump(publisher);
    const end = setTimeout(() => {
      this.#publishing = false;
      if (this.#flow.onTheWay === 0) this.#settled?.();
    }, ms);
    await this.#allArrived();
    clearTimeout(end);
    if (this.#failure) throw this.#failure;
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const received = this.#received - before;
    if (received !== this.#published * this.#load.subscribers)
      throw new BenchFailure(`${received} messages came of ${this.#published} for ${this.#load.subscribers}`);
    return { published: this.#published, received, seconds, busy: (user + system) / 1e6 };
  }

  get #received(): number {
    return this.tallies.reduce((sum, { received }) => sum + received, 0);
  }

  #pump(publisher: number): void {
    const { block, cycle } = this.#load;
    while (this.#publishing) {
      const number = this.#flow.send(publisher);
      if (number < 0) return;
      this.#published += block;
      this.#publishers[publisher]?.(number % cycle);
    }
  }

  #told(publisher: number, teller: number): void {
    this.#flow.tell(publisher, teller);
    if (this.#publishing) this.#pump(publisher);
    else if (this.#flow.onTheWay === 0) this.#settled?.();
  }

  /** Resolves when all that was published is where it should be, or cannot come any more. */
  async #allArrived(): Promise<void> {
    let last = -1;
    const watch = setInterval(() => {
      if (this.#received === last) {
        const { onTheWay } = this.#flow;
        this.fail(new BenchFailure(`${onTheWay} blocks of ${this.#load.block} messages never came whole`));
      }
      last = this.#received;
    }, PATIENCE_MS);
    await new Promise<void>((resolve) => {
      this.#settled = resolve;
      if (this.#failure) resolve();
    });
    this.#settled = undefined;
    this.#publishing = false;
    clearInterval(watch);
  }
}
