// A virtual Uno, real machine code at 115 200 baud, at a pty that the gateway opens; and a program on TCP that its messages
// go to, or come from. Rates are in the board's own time: on a busy machine it may run slower than the clock.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, connect } from '../../../src/client/client.js';
import { Counters } from '../../../src/counters.js';
import { openPty } from '../../../src/simulator/pty.js';
import { VirtualUno } from '../../../src/simulator/uno.js';
import { build } from '../../e2e/firmware/build.js';
import { serve } from '../helper.js';
import { BenchFailure } from '../row.js';

/** Messages that may be on their way to the board. */
const WINDOW = 200;
const POLL_MS = 5;
/** A board without any message for so long is lost, ms. */
const PATIENCE_MS = 10_000;
const CHANNELS = { out: 'flood/out', in: 'counter/in', counted: 'counter/counted' };

export interface UartLoad {
  /** Messages from the board, or to it. */
  readonly direction: 'out' | 'in';
  /** What the firmware is compiled with. */
  readonly defines: readonly string[];
}

export interface UartReport {
  /** In so many seconds of the board's time. */
  readonly messages: number;
  readonly seconds: number;
  /** The board's time, of the time that passed. */
  readonly ofRealTime: number;
}

/** What fast-counter.c tells. */
interface Counted {
  readonly messages: number;
  readonly ms: number;
}

const text = (number: number): string => number.toString(16).padStart(8, '0');
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

class Bench {
  readonly #direction: UartLoad['direction'];
  readonly #counters = new Counters();
  readonly #uno: VirtualUno;
  #client: Client | undefined;
  #flowing = false;
  /** From the board, since its last boot. */
  #received = 0;
  /** What was next when it was switched off; nothing the first time. */
  #beforeBoot = -1;
  /** To the board: published, and what it told of them. */
  #published = 0;
  #counted: Counted = { messages: 0, ms: 0 };
  #failure: BenchFailure | undefined;

  static async make({ direction, defines }: UartLoad): Promise<Bench> {
    return new Bench(direction, await build(direction === 'out' ? 'flood.c' : 'fast-counter.c', ...defines));
  }

  private constructor(direction: UartLoad['direction'], flash: Uint8Array) {
    this.#direction = direction;
    this.#uno = new VirtualUno(flash, { counters: this.#counters });
  }

  async open(): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-uno-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    return (await openPty(this.#uno, join(folder, 'tty'), { counters: this.#counters })).path;
  }

  async connect(tcp: number): Promise<void> {
    this.#client = await connect({ port: tcp });
    if (this.#direction === 'out') await this.#client.subscribe(CHANNELS.out, (one) => this.#take(one.text));
    else await this.#client.subscribe(CHANNELS.counted, (one) => this.#told(one.text));
  }

  /** Switches the board on, lets messages flow for `ms` of its time, and switches it off: it would take its part of a core. */
  async round(ms: number): Promise<UartReport> {
    if (this.#received > 0) this.#beforeBoot = this.#received;
    this.#received = 0;
    this.#published = 0;
    this.#counted = { messages: 0, ms: 0 };
    this.#uno.start();
    await this.#until(() => this.#progress.ms > 0 && (this.#direction === 'in' || this.#received > 0));
    this.#flowing = true;
    if (this.#direction === 'in') this.#publish();
    await this.#until(() => this.#progress.messages > WINDOW);
    const before = { ...this.#progress, at: performance.now(), uno: this.#uno.ms, lost: this.#lost };
    await this.#until(() => this.#progress.ms - before.ms >= ms);
    if (this.#lost !== before.lost)
      throw new BenchFailure(`bytes were lost: before ${before.lost}, now ${this.#lost}`);
    const { messages, ms: now } = this.#progress;
    const ofRealTime = (this.#uno.ms - before.uno) / (performance.now() - before.at);
    await this.#stop();
    return { messages: messages - before.messages, seconds: (now - before.ms) / 1000, ofRealTime };
  }

  async #stop(): Promise<void> {
    this.#flowing = false;
    if (this.#direction === 'in') {
      // It has all, and the report after that one leaves behind its last acknowledgement.
      await this.#until(() => this.#counted.messages === this.#published);
      const { ms } = this.#counted;
      await this.#until(() => this.#counted.ms > ms);
    }
    this.#uno.stop();
  }

  /** Bytes by where they were lost. While the board boots some may be. */
  get #lost(): string {
    return JSON.stringify(this.#counters.snapshot());
  }

  get #progress(): Counted {
    return this.#direction === 'in' ? this.#counted : { messages: this.#received, ms: this.#uno.ms };
  }

  #take(payload: string): void {
    if (this.#received === 0 && payload === text(this.#beforeBoot)) {
      // It was on its way when the board was switched off.
      this.#beforeBoot++;
      return;
    }
    if (payload !== text(this.#received))
      this.#fail(`${payload} came where ${text(this.#received)} should have`);
    this.#received++;
  }

  #told(report: string): void {
    const [messages = 0, ms = 0, ...faults] = report.split(' ').map(Number);
    if (faults.some((count) => count > 0))
      this.#fail(`the board lost bytes, frames, or the order: ${faults.join(', ')}`);
    this.#counted = { messages, ms };
    this.#publish();
  }

  #publish(): void {
    for (; this.#flowing && this.#published - this.#counted.messages < WINDOW; this.#published++)
      this.#client
        ?.emit(CHANNELS.in, text(this.#published))
        .catch((error) => this.#fail(`an emit was refused: ${error}`));
  }

  #fail(problem: string): void {
    this.#failure ??= new BenchFailure(problem);
  }

  async #until(holds: () => boolean): Promise<void> {
    let seen = this.#progress.messages;
    let since = performance.now();
    while (!holds()) {
      await sleep(POLL_MS);
      if (this.#failure) throw this.#failure;
      const { messages } = this.#progress;
      if (messages !== seen) since = performance.now();
      else if (performance.now() - since > PATIENCE_MS)
        throw new BenchFailure('nothing comes from the board');
      seen = messages;
    }
  }
}

let bench: Bench | undefined;
serve({
  open: async (load: UartLoad) => {
    bench = await Bench.make(load);
    return bench.open();
  },
  connect: (tcp: number) => bench?.connect(tcp),
  round: (ms: number) => bench?.round(ms),
});
