import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const CLOCK_TICKS_PER_SECOND = 100;

/**
 * Starts the built gateway as a process of its own, on loopback ports that the system picks. `config`: sections beside
 * `listen`; `udp`: more keys of `listen.udp`. Resolves when it listens.
 */
export async function startGateway({ config = {}, udp = {}, nodeArguments = [] } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const file = join(folder, 'slipway.yaml');
  const listen = { tcp: { port: 0 }, udp: { port: 0, ...udp } };
  await writeFile(
    file,
    JSON.stringify({ version: 1, listen, log: { level: 'info', format: 'json' }, ...config }),
  );
  const child = spawn(process.execPath, [...nodeArguments, MAIN, 'run', '-c', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ports = {};
  let logLines = 0;
  await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the gateway ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      logLines++;
      const entry = JSON.parse(line);
      if (entry.tcp) ports.tcp = entry.tcp.port;
      if (entry.udp) ports.udp = entry.udp.port;
      if (ports.tcp && ports.udp) resolve();
    });
  });
  return {
    ...ports,
    get logLines() {
      return logLines;
    },
    /** Resident memory, MiB. */
    rss: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024,
    /** Time on a core so far, s. */
    cpu() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
      return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.removeAllListeners('exit');
      child.kill();
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}
