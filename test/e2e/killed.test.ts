import { expect, test } from 'vitest';
import type { Client } from '../../src/client/client.js';
import type { Qos } from '../../src/wire/messages.js';
import { connectTo, until } from '../support/gateways.js';
import { type Program, slipway, storeConfig } from '../support/programs.js';
import { Random } from '../support/random.js';

/** How often the daemon is killed; KILLS of the environment goes before. */
const KILLS = Number(process.env.KILLS ?? 200);
const SEED = Number(process.env.SEED ?? 1);
const DAEMONS = 4;
/** Emits of one program that are not acknowledged yet. */
const OPEN_EMITS = 40;

/** A program that emits without pause, and knows what was acknowledged. */
class Emitter {
  readonly acknowledged = new Set<string>();
  emitted = 0;
  readonly #client: Client;
  readonly #name: string;
  #open = 0;
  #stopped = false;

  constructor(client: Client, name: string) {
    this.#client = client;
    this.#name = name;
    this.#fill();
  }

  stop(): void {
    this.#stopped = true;
  }

  get idle(): boolean {
    return this.#open === 0;
  }

  #fill(): void {
    while (!this.#stopped && this.#open < OPEN_EMITS) {
      const text = `${this.#name} ${this.emitted++}`;
      this.#open++;
      const qos = ((this.emitted % 2) + 1) as Qos;
      void this.#client.emit(`load/${this.emitted % 7}`, text, { qos, retain: qos === 1 }).then(() => {
        this.acknowledged.add(text);
        this.#open--;
        this.#fill();
      });
    }
  }
}

const wait = (condition: () => boolean) => until(() => expect(condition()).toBe(true));

/** One daemon, killed again and again. */
async function run(seed: number, kills: number): Promise<void> {
  const random = new Random(seed);
  const { config, port } = await storeConfig();
  const start = () => slipway(['run', '-c', config]);
  let daemon: Program = start();
  const output: Program[] = [daemon];
  await daemon.prints(/listening/);

  const address = { host: '127.0.0.1', port, timeoutMs: 30_000, expiry: 3600 };
  const received: string[] = [];
  const subscriber = await connectTo(address, { identity: 'subscriber' });
  await subscriber.subscribe('load/#', (message) => void received.push(message.text), {
    qos: 2,
    noLastValue: true,
  });
  const emitters: Emitter[] = [];
  for (const name of ['a', 'b'])
    emitters.push(new Emitter(await connectTo(address, { identity: name }), name));

  const acknowledged = () => emitters.reduce((sum, emitter) => sum + emitter.acknowledged.size, 0);
  for (let kill = 0; kill < kills; kill++) {
    // The load flows again, and then some: the moment of the kill is nothing that the daemon knows.
    const before = acknowledged();
    await wait(() => acknowledged() > before);
    await new Promise((resolve) => setTimeout(resolve, random.next() * 60));
    daemon.child.kill('SIGKILL');
    await daemon.ended;
    daemon = start();
    output.push(daemon);
  }
  for (const emitter of emitters) emitter.stop();
  await wait(() => emitters.every((emitter) => emitter.idle));
  const emitted = emitters.reduce((sum, emitter) => sum + emitter.emitted, 0);
  await wait(() => received.length >= emitted);
  expect(acknowledged()).toBe(emitted);
  for (const name of ['a', 'b']) {
    const own = received.filter((text) => text.startsWith(name)).map((text) => Number(text.slice(2)));
    expect(own).toEqual(own.map((_, i) => i));
  }
  expect(received.length).toBe(emitted);
  // No store was damaged, and nothing else was worth a warning.
  const warnings = output.flatMap(({ lines, stderr }) => [
    ...lines.filter((line) => /"level":[456]0/.test(line)),
    stderr,
  ]);
  expect(warnings.join('')).toBe('');
}

test(`a daemon is killed ${KILLS} times under load, and delivers what it acknowledged exactly once, in order (SEED=${SEED})`, async () => {
  // Side by side: most of the time passes in waiting for a connection.
  const seeds = Array.from({ length: DAEMONS }, (_, i) => SEED + i);
  await Promise.all(seeds.map((seed) => run(seed, Math.ceil(KILLS / DAEMONS))));
}, 600_000);
