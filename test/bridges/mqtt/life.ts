import type { IncomingMessage, UpstreamRecords } from '../../../src/bridges/upstream.js';
import type { Random } from '../../support/random.js';

/** What survives a `kill -9`: of the queue, of what the router took, and of what the upstream keeps. */
export class Disk {
  readonly upstream = new Map<string, Uint8Array>();
  /** Messages that wait for the broker, by their records. */
  readonly queue = new Map<number, string>();
  /** What the router has taken. */
  readonly taken: string[] = [];
}

/** A process as its disk sees it: what it changes is safe a little later, all at once and in order, or never. */
export class Life implements UpstreamRecords {
  readonly disk: Disk;
  readonly #random: Random | undefined;
  readonly #entries: Map<string, Uint8Array>;
  #pending: ((disk: Disk) => void)[] = [];
  #waiting: (() => void)[] = [];
  #committing = false;
  #dead = false;

  /** Without `random` all is safe at once. */
  constructor(disk: Disk = new Disk(), random?: Random) {
    this.disk = disk;
    this.#random = random;
    this.#entries = new Map(disk.upstream);
  }

  kill(): void {
    this.#dead = true;
    this.#pending = [];
    this.#waiting = [];
  }

  change(apply: (disk: Disk) => void): void {
    if (this.#dead) return;
    if (!this.#random) return apply(this.disk);
    this.#pending.push(apply);
    this.#commitLater();
  }

  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    return this.#entries;
  }

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  put(key: string, value: Uint8Array): void {
    this.#entries.set(key, value);
    this.change((disk) => void disk.upstream.set(key, value));
  }

  delete(key: string): void {
    this.#entries.delete(key);
    this.change((disk) => void disk.upstream.delete(key));
  }

  settled(task: () => void): void {
    if (this.#dead) return;
    if (this.#pending.length === 0 && !this.#committing) task();
    else this.#waiting.push(task);
  }

  #commitLater(): void {
    if (this.#committing) return;
    this.#committing = true;
    setTimeout(() => this.#commit(), this.#random?.below(4) ?? 0);
  }

  #commit(): void {
    if (this.#dead) return;
    const changes = this.#pending;
    const tasks = this.#waiting;
    this.#pending = [];
    this.#waiting = [];
    this.#committing = false;
    for (const apply of changes) apply(this.disk);
    for (const task of tasks) task();
  }
}

/** A message as text, for lists of what came. */
export function textOf({ name, payload }: IncomingMessage): string {
  return `${name} ${Buffer.from(payload).toString()}`;
}
