import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Another program that has a port, as one that locks it does. */
export interface PortHolder {
  readonly pid: number;
  release(): void;
}

/** Has a program called `name` lock `device`; resolves when it has. It ends with the test, or before. */
export async function lockedBy(name: string, device: string): Promise<PortHolder> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-holder-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  // The name is what the system shows of a program: that of its file.
  const program = join(folder, name);
  await copyFile('/usr/bin/flock', program);
  const holder = spawn(program, [device, 'sh', '-c', 'echo locked; exec sleep 600'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = holder.pid as number;
  let held = true;
  const release = () => {
    if (held) process.kill(-pid);
    held = false;
  };
  onTestFinished(release);
  await once(holder.stdout, 'data');
  return { pid, release };
}
