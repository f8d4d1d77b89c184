import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONFIG_FILES, findConfig, resolveConfig } from '../../src/config/find.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'slipway-find-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('findConfig', () => {
  it('looks in the working directory first, then in /etc', () => {
    expect(CONFIG_FILES).toEqual(['./slipway.yaml', '/etc/slipway/slipway.yaml']);
  });

  it('takes the first that exists', async () => {
    const [first, second] = [join(dir, 'a.yaml'), join(dir, 'b.yaml')];
    expect(await findConfig([first, second])).toBeUndefined();
    await writeFile(second, '');
    expect(await findConfig([first, second])).toBe(second);
    await writeFile(first, '');
    expect(await findConfig([first, second])).toBe(first);
  });

  it('does not pass over one that is there and cannot be used', async () => {
    const [loop, good] = [join(dir, 'loop.yaml'), join(dir, 'good.yaml')];
    await symlink(loop, loop);
    await writeFile(good, 'version: 1');
    expect(await findConfig([loop, good])).toBe(loop);
    await mkdir(join(dir, 'folder.yaml'));
    expect(await findConfig([join(dir, 'folder.yaml'), good])).toBe(join(dir, 'folder.yaml'));
  });
});

describe('resolveConfig', () => {
  it('reads the file that is named', async () => {
    const file = join(dir, 'mine.yaml');
    await writeFile(file, 'version: 1\nlog: { level: debug }\n');
    expect(await resolveConfig(file, {})).toMatchObject({ file, config: { log: { level: 'debug' } } });
  });

  it('does not fall back when the file that is named is missing', async () => {
    await expect(resolveConfig(join(dir, 'typo.yaml'), {})).rejects.toThrow('there is no such file');
  });
});
