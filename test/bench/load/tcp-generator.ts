import { serve } from '../helper.js';
import { BenchFailure } from '../row.js';
import { Connection } from './connection.js';
import { Flow } from './flow.js';
import { Tally } from './payload.js';
import type { Speaker } from './speaker.js';
import { speakerFor } from './speakers.js';
import type { LoadReport, TcpLoad, TcpTarget } from './tcp-load.js';

/** Without any progress for so long, what is on its way is lost, ms. */
const PATIENCE_MS = 10_000;

/** A publisher: its connection, and the bytes that it sends over and over. */
interface Publisher {
  readonly connection: Connection;
  readonly blocks: readonly Buffer[];
}

/** The load generator for TCP: publishers and subscribers in one process. Blocks of messages are encoded beforehand. */
class TcpGenerator {
  readonly #load: TcpLoad;
  readonly #flow: Flow;
  readonly #tallies: Tally[] = [];
  readonly #publishers: Publisher[] = [];
  #publishing = false;
  #published = 0;
  #failure: Error | undefined;
  #settled: (() => void) | undefined;

  constructor(load: TcpLoad) {
    this.#load = load;
    // Acknowledgements count as another subscriber.
    this.#flow = new Flow(load.publishers, load.subscribers + (load.qos > 0 ? 1 : 0), load.window);
  }

  async open({ port, blind }: TcpTarget): Promise<void> {
    const { subscribers, publishers } = this.#load;
    for (let number = 0; number < subscribers; number++) {
      const tally = new Tally(number, this.#load, (publisher, teller) => this.#told(publisher, teller));
      this.#tallies.push(tally);
      const connection = await this.#connect(port);
      const speaker = speakerFor(connection, this.#load, { kind: 'subscriber', number, tally });
      await introduce(connection, speaker, blind, 'S');
    }
    for (let number = 0; number < publishers; number++) {
      const connection = await this.#connect(port);
      let rest = 0;
      const acknowledged = (count: number): void => {
        for (rest += count; rest >= this.#load.block; rest -= this.#load.block)
          this.#told(number, subscribers);
      };
      const speaker = speakerFor(connection, this.#load, { kind: 'publisher', number, acknowledged });
      await introduce(connection, speaker, blind, String.fromCharCode(number));
      const blocks = speaker.blocks((payloads, first) => speaker.encode(payloads, first));
      this.#publishers.push({ connection, blocks });
    }
  }

  /** Publishes for `ms`, and waits until all of it has been received and, at QoS 1, acknowledged. */
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
    await this.#allArrived(() => clearTimeout(end));
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const received = this.#received - before;
    if (received !== this.#published * this.#load.subscribers)
      throw new BenchFailure(`${received} messages came of ${this.#published} for ${this.#load.subscribers}`);
    return { published: this.#published, received, seconds, busy: (user + system) / 1e6 };
  }

  get #received(): number {
    return this.#tallies.reduce((sum, { received }) => sum + received, 0);
  }

  #connect(port: number): Promise<Connection> {
    return Connection.open(port, (error) => {
      this.#failure ??= error;
      this.#settled?.();
    });
  }

  #pump(publisher: number): void {
    if (!this.#publishing) return;
    const { connection, blocks } = this.#publishers[publisher] as Publisher;
    for (;;) {
      const number = this.#flow.send(publisher);
      if (number < 0) return;
      this.#published += this.#load.block;
      connection.write(blocks[number % blocks.length] as Buffer);
    }
  }

  #told(publisher: number, teller: number): void {
    this.#flow.tell(publisher, teller);
    if (this.#publishing) this.#pump(publisher);
    else if (this.#flow.onTheWay === 0) this.#settled?.();
  }

  /** @throws BenchFailure when a message went wrong, or does not come */
  async #allArrived(stop: () => void): Promise<void> {
    let last = -1;
    const watch = setInterval(() => {
      const { onTheWay } = this.#flow;
      const received = this.#received;
      if (received === last)
        this.#failure ??= new BenchFailure(
          `${onTheWay} blocks of ${this.#load.block} messages are lost, or a part of them`,
        );
      if (this.#failure) this.#settled?.();
      last = received;
    }, PATIENCE_MS);
    await new Promise<void>((resolve) => {
      this.#settled = resolve;
      if (this.#failure) resolve();
    });
    this.#settled = undefined;
    this.#publishing = false;
    clearInterval(watch);
    stop();
    if (this.#failure) throw this.#failure;
  }
}

/** A `blind` server is only told who it has before it. */
async function introduce(
  connection: Connection,
  speaker: Speaker,
  blind: boolean,
  who: string,
): Promise<void> {
  connection.reader = (bytes, view, to) => speaker.read(bytes, view, to);
  if (blind) connection.write(Buffer.from(who, 'latin1'));
  else await speaker.greet();
}

let generator: TcpGenerator | undefined;
serve({
  open: async ({ load, target }: { load: TcpLoad; target: TcpTarget }) => {
    generator = new TcpGenerator(load);
    await generator.open(target);
  },
  round: (ms: number) => generator?.round(ms),
});
