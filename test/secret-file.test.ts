import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readSecretFile } from '../src/secret-file.js';

it('a secret file is read after its permissions and its size were found right', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-secret-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'secret');
  await writeFile(file, 'hunter2');
  await chmod(file, 0o640);
  const found: { mode: number; size: number }[] = [];
  expect((await readSecretFile(file, (each) => void found.push(each))).toString()).toBe('hunter2');
  expect(found).toEqual([{ mode: expect.any(Number), size: 7 }]);
  expect((found[0]?.mode ?? 0) & 0o777).toBe(process.platform === 'win32' ? 0 : 0o640);
  const refuse = () => {
    throw new RangeError('too open');
  };
  await expect(readSecretFile(file, refuse)).rejects.toThrow('too open');
  await expect(readSecretFile(join(folder, 'none'), refuse)).rejects.toMatchObject({ code: 'ENOENT' });
});
