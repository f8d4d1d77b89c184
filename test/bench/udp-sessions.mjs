// How a gateway fares with very many boards on UDP: memory, CPU when idle, and how all come back after a restart.
// The built gateway in a process of its own, the C client 100,000 times in another (udp-peers.c). Linux, needs gcc.
//
//   npm run bench:sessions -- [--sessions 100000] [--keep-alive 60] [--ramp 40] [--idle 60]
//                             [--restart none|kill|term] [--down 2] [--config FILE] [--node FLAGS] [--snapshot FILE]
import { execFileSync, fork, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { values: options } = parseArgs({
  options: {
    sessions: { type: 'string', default: '100000' },
    'keep-alive': { type: 'string', default: '60' },
    ramp: { type: 'string', default: '40' },
    idle: { type: 'string', default: '60' },
    restart: { type: 'string', default: 'kill' },
    down: { type: 'string', default: '2' },
    config: { type: 'string' },
    node: { type: 'string' },
    snapshot: { type: 'string' },
  },
});
const sessions = Number(options.sessions);
const keepAlive = Number(options['keep-alive']);
const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** A port on which nobody listens. */
async function freePort() {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise((resolve) => socket.close(resolve));
  return port;
}
const port = await freePort();

/** What a gateway for so many is told; `--config` names a file with more of it, in JSON. */
function writeConfig() {
  const config = {
    version: 1,
    listen: { tcp: false, udp: { host: '127.0.0.1', port } },
    limits: { sessions: sessions + 1000, channels: 4 * sessions + 1000, last_values: 2 * sessions + 1000 },
    log: { level: 'warn' },
    ...(options.config && JSON.parse(readFileSync(options.config, 'utf8'))),
  };
  const file = join(folder, 'slipway.yaml');
  writeFileSync(file, JSON.stringify(config));
  return file;
}

class GatewayProcess {
  #child;

  static async start(config) {
    const gateway = new GatewayProcess();
    const probe = fileURLToPath(new URL('gateway-probe.mjs', import.meta.url));
    gateway.#child = fork(join(ROOT, 'dist/cli/main.js'), ['run', '-c', config], {
      execArgv: ['--expose-gc', ...(options.node?.split(' ') ?? []), '--import', probe],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    process.on('exit', () => gateway.#child.kill('SIGKILL'));
    gateway.#child.on('exit', (code) => code && process.exit(1));
    await gateway.ask('load');
    return gateway;
  }

  ask(...question) {
    return new Promise((resolve) => {
      this.#child.once('message', resolve);
      this.#child.send(question);
    });
  }

  stop(signal) {
    return new Promise((resolve) => {
      this.#child.once('exit', resolve);
      this.#child.kill(signal);
    });
  }

  /** Bytes of the process that are in memory now, whatever it still needs of them. */
  get rss() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))[1]) * 1024;
  }

  /** Lets `ms` go by: share of a core, and ms for which the event loop was held up. */
  async measure(ms) {
    const before = await this.ask('load');
    await sleep(ms);
    const after = await this.ask('load');
    const used = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
    return { core: used / 1000 / ms, delay: after.delay };
  }
}

class Boards {
  #child;
  #waiting = [];
  now;

  constructor() {
    const library = join(ROOT, 'firmware-protocol/src');
    const program = join(folder, 'udp-peers');
    const flags = `-O2 -std=gnu99 -DSLIPWAY_WITH_SERIAL=0 -DSLIPWAY_WITH_STREAM=0 -DSLIPWAY_KEEP_ALIVE_S=${keepAlive}`;
    const main = join(ROOT, 'test/bench/load/udp-peers.c');
    const sources = readdirSync(library).filter((name) => name.endsWith('.c'));
    execFileSync('gcc', [
      ...flags.split(' '),
      `-I${library}`,
      main,
      ...sources.map((name) => join(library, name)),
      '-o',
      program,
    ]);
    this.#child = spawn(program, [`${port}`, `${sessions}`, options.ramp], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.now = JSON.parse(line);
      this.#waiting = this.#waiting.filter((check) => !check(this.now));
    });
    process.on('exit', () => this.#child.kill());
  }

  /** The first report for which `holds`. */
  until(holds) {
    return new Promise((resolve) => {
      this.#waiting.push((report) => {
        const held = holds(report);
        if (held) resolve(report);
        return held;
      });
    });
  }

  mark() {
    this.#child.stdin.write('mark\n');
  }

  end() {
    this.#child.stdin.end();
  }
}

const print = (label, value) => console.log(`${label.padEnd(44)} ${value}`);
const mib = (bytes) => `${(bytes / 1_048_576).toFixed(1)} MiB`;
const each = (bytes) => `${Math.round(bytes / sessions)} B each`;
const percent = (share) => `${(100 * share).toFixed(1)} % of a core`;

/** The traffic between two reports, by the second. */
function traffic(from, to) {
  const seconds = (to.ms - from.ms) / 1000;
  const rate = (name) => Math.round((to[name] - from[name]) / seconds);
  return `${rate('sent')}/s in, ${rate('received')}/s out, PINGs ${rate('pings')}/s; resends ${to.resends - from.resends}, HELLOs ${to.hellos - from.hellos}`;
}

async function fill(gateway, boards) {
  const empty = await gateway.ask('memory');
  print('RSS before', mib(empty.rss));
  const load = gateway.measure(Number(options.ramp) * 1000);
  const first = await boards.until(() => true);
  const full = await boards.until(({ settled }) => settled >= sessions);
  const { core, delay } = await load;
  print(
    'all connected and subscribed after',
    `${((full.ms - first.ms) / 1000).toFixed(0)} s (ramp ${options.ramp} s)`,
  );
  print('  meanwhile', `${percent(core)}, event loop held up ${delay.max.toFixed(0)} ms at most`);
  print('  traffic', traffic(first, full));
  print('RSS at once', `${mib(gateway.rss)}: ${each(gateway.rss - empty.rss)}`);
  return empty;
}

async function idle(gateway, boards, empty) {
  const first = await boards.until(() => true);
  const { core, delay } = await gateway.measure(Number(options.idle) * 1000);
  const last = await boards.until(() => true);
  print(`idle for ${options.idle} s, keep-alive ${keepAlive} s`, percent(core));
  print('  traffic', traffic(first, last));
  print('  event loop held up', `${delay.max.toFixed(0)} ms at most, 99 % below ${delay.p99.toFixed(0)} ms`);
  print('RSS after that', `${mib(gateway.rss)}: ${each(gateway.rss - empty.rss)}`);
  const memory = await gateway.ask('memory');
  print('RSS after a collection', `${mib(memory.rss)}: ${each(memory.rss - empty.rss)}`);
  print('  heap used', `${mib(memory.heapUsed)}: ${each(memory.heapUsed - empty.heapUsed)}`);
  print('  heap in MiB', await gateway.ask('spaces'));
  print('  outside the heap', `${mib(memory.external)}: ${each(memory.external - empty.external)}`);
  if (options.snapshot) print('heap snapshot', await gateway.ask('snapshot', options.snapshot));
}

async function restart(gateway, boards, config) {
  const before = await boards.until(() => true);
  boards.mark();
  await gateway.stop(options.restart === 'kill' ? 'SIGKILL' : 'SIGTERM');
  await sleep(Number(options.down) * 1000);
  const next = await GatewayProcess.start(config);
  const up = boards.now;
  print(`restarted (${options.restart}), down for`, `${((up.ms - before.ms) / 1000).toFixed(0)} s`);
  let busiest = 0;
  let held = 0;
  let done = false;
  const watch = (async () => {
    while (!done) {
      const { core, delay } = await next.measure(1000);
      busiest = Math.max(busiest, core);
      held = Math.max(held, delay.max);
    }
  })();
  const reach = async (share) => {
    const report = await boards.until(({ back }) => back >= share * sessions);
    print(`  ${100 * share} % back after`, `${((report.ms - up.ms) / 1000).toFixed(0)} s`);
  };
  for (const share of [0.5, 0.9, 0.99, 1]) await reach(share);
  const full = await boards.until(({ back, settled }) => back >= sessions && settled >= sessions);
  print('  all subscribed again after', `${((full.ms - up.ms) / 1000).toFixed(0)} s`);
  done = true;
  await watch;
  print('  busiest second', `${percent(busiest)}, event loop held up ${held.toFixed(0)} ms at most`);
  print('  traffic', traffic(up, full));
  print('  packets a session', ((full.sent - up.sent) / sessions).toFixed(1));
  return next;
}

const config = writeConfig();
console.log(`${sessions} sessions, two subscriptions each; Node ${process.version}`);
let gateway = await GatewayProcess.start(config);
const boards = new Boards();
const empty = await fill(gateway, boards);
await idle(gateway, boards, empty);
if (options.restart !== 'none') gateway = await restart(gateway, boards, config);
boards.end();
await gateway.stop('SIGTERM');
