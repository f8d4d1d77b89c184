import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { codeOf } from '../../src/errors.js';
import { NotInstalled } from './row.js';

/**
 * Keeps the main threads of these processes on one core, the first that this process may use. Where two take turns, to wake the
 * other on another core can take longer than all else, and is up to the system's scheduler; so both have the same lot. Only
 * on Linux; elsewhere nothing happens.
 * @throws NotInstalled without `taskset`
 */
export function pinToOneCore(...pids: readonly number[]): void {
  if (process.platform !== 'linux') return;
  const allowed = /Cpus_allowed_list:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  try {
    for (const pid of pids) execFileSync('taskset', ['-c', '-p', `${allowed}`, `${pid}`], { stdio: 'pipe' });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw new NotInstalled('taskset', 'apt-get install util-linux');
    throw error;
  }
}
