import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { usersText } from './policies.js';

/** A users file (see `usersText`) in a folder that goes when the test ends. Returns its path. */
export async function usersFile(...contents: Parameters<typeof usersText>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-users-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'users.yaml');
  await writeFile(file, usersText(...contents), { mode: 0o600 });
  return file;
}
