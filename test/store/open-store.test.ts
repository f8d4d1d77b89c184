import { mkdtemp, readdir, readFile, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { folderFault } from '../../src/store/folder.js';
import { LevelBackend } from '../../src/store/level-backend.js';
import { openStore } from '../../src/store/open-store.js';
import { FORMAT, keys, writeLastValue } from '../../src/store/records.js';
import { seal } from '../../src/store/seal.js';
import { Store } from '../../src/store/store.js';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'slipway-store-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

const log: string[] = [];
const logger = pino({}, { write: (line: string) => void log.push(JSON.parse(line).msg) });

/** The names of the last values in the store, which is closed again. */
async function valuesIn(path: string): Promise<string[]> {
  const { backend, contents } = await openStore(path, logger);
  await backend.close();
  return contents.lastValues.map(({ name }) => name);
}

/** A store that holds these last values, each committed by itself; closed. */
async function filled(path: string, names: readonly string[]): Promise<void> {
  const { backend } = await openStore(path, logger);
  const store = new Store(backend, systemClock, logger);
  for (const [i, name] of names.entries()) {
    store.put(
      keys.lastValue(name),
      writeLastValue({ payload: Buffer.alloc(2000, i), qos: 1, mark: i, extras: undefined }),
    );
    await new Promise<void>((resolve) => store.settled(resolve));
  }
  await store.close();
}

const NAMES = Array.from({ length: 40 }, (_, i) => `value-${i}`);

test('what was committed is there again', async () => {
  const path = join(await folder(), 'not/there/yet');
  await filled(path, NAMES);
  expect(await valuesIn(path)).toEqual(NAMES);
  expect(log).toEqual([]);
});

test.each<[string, (path: string, file: (pattern: RegExp) => Promise<string>) => Promise<void>]>([
  ['a file of it is gone', async (_path, file) => unlink(await file(/^MANIFEST/))],
  [
    'a file of it is garbage',
    async (_path, file) => writeFile(await file(/^MANIFEST/), Buffer.alloc(300, 7)),
  ],
  ['CURRENT names nothing', async (path) => writeFile(join(path, 'CURRENT'), 'x')],
  ['all that it held is gone', async (_path, file) => unlink(await file(/\.log$/))],
  [
    'a block is overwritten',
    async (path) => {
      const database = await LevelBackend.open(path);
      const key = keys.lastValue('value-3');
      await new Promise<void>((resolve) => {
        database.write([{ key, value: Buffer.concat([seal(key, Buffer.of(1)), Buffer.of(1)]) }], () =>
          resolve(),
        );
      });
      await database.close();
    },
  ],
])('a damaged store is set aside and replaced: %s', async (_what, damage) => {
  const parent = await folder();
  const path = join(parent, 'store');
  await filled(path, NAMES);
  const files = await readdir(path);
  await damage(path, async (pattern) => join(path, files.find((name) => pattern.test(name)) ?? ''));

  log.length = 0;
  expect(await valuesIn(path)).toEqual([]);
  expect(log).toHaveLength(1);
  const [, aside = ''] =
    /is damaged \(.+\): it was moved to (\S+), and an empty one takes its place/.exec(log[0] ?? '') ?? [];
  expect(await readdir(parent)).toHaveLength(2);
  expect((await readdir(aside)).length).toBeGreaterThan(0);
  // The new one is as good as any.
  await filled(path, ['new']);
  expect(await valuesIn(path)).toEqual(['new']);
});

test('a part of the log that is spoiled is reported, and what stands before it is kept', async () => {
  const path = join(await folder(), 'store');
  await filled(path, NAMES);
  const [file = ''] = (await readdir(path)).filter((name) => name.endsWith('.log'));
  const bytes = await readFile(join(path, file));
  bytes.fill(7, 20_000, 20_040);
  await writeFile(join(path, file), bytes);
  log.length = 0;
  const kept = await valuesIn(path);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept).not.toEqual(NAMES);
  expect(log).toEqual([
    expect.stringMatching(
      /^the store in .+ has lost \d+ bytes of its log \(Corruption: checksum mismatch\): if the power was cut, .+ missing or comes again$/,
    ),
  ]);
});

test('the end of a write that was cut off is not damage: it was not committed', async () => {
  const path = join(await folder(), 'store');
  await filled(path, NAMES);
  const [file = ''] = (await readdir(path)).filter((name) => name.endsWith('.log'));
  const { length } = await readFile(join(path, file));
  await truncate(join(path, file), length - 10);
  log.length = 0;
  expect(await valuesIn(path)).toEqual(NAMES.slice(0, -1));
  expect(log).toEqual([]);
});

test('a write that fails because the store is closed does not open it again', async () => {
  const path = await folder();
  const { backend } = await openStore(path, logger);
  await backend.close();
  await new Promise((resolve) => backend.write([{ key: 'x', value: Buffer.of(1) }], resolve));
  expect(await valuesIn(path)).toEqual([]);
});

test('two daemons do not share one', async () => {
  const path = await folder();
  const { backend } = await openStore(path, logger);
  await expect(openStore(path, logger)).rejects.toMatchObject({
    code: 'store_in_use',
    message: `the store in ${path} is in use: another slipway runs with it; stop that one, or give this one its own (store.path)`,
  });
  await backend.close();
});

test('a folder that holds anything else is neither used nor moved', async () => {
  const path = await folder();
  await writeFile(join(path, 'thesis.txt'), 'precious');
  await expect(openStore(path, logger)).rejects.toMatchObject({
    code: 'store_unusable',
    message: `the store cannot be in ${path}: there are other files in it ("thesis.txt"); name a folder of its own (store.path)`,
  });
  expect(await readdir(path)).toEqual(['thesis.txt']);
});

test('a store of a newer Slipway is left alone', async () => {
  const path = await folder();
  const { backend } = await openStore(path, logger);
  const newer = { key: FORMAT.key, value: seal(FORMAT.key, Uint8Array.of(9)) };
  await new Promise<void>((resolve) => backend.write([newer], () => resolve()));
  await backend.close();
  await expect(openStore(path, logger)).rejects.toMatchObject({
    code: 'store_unusable',
    message: expect.stringMatching(/version 9/),
  });
  expect((await readdir(path)).length).toBeGreaterThan(0);
});

test('a path that cannot be a folder says why', async () => {
  const parent = await folder();
  const file = join(parent, 'file');
  await writeFile(file, '');
  await expect(openStore(file, logger)).rejects.toMatchObject({
    message: `the store cannot be in ${file}: there is a file of that name: name a folder (store.path)`,
  });
  await expect(openStore(join(file, 'below'), logger)).rejects.toMatchObject({
    message: `the store cannot be in ${join(file, 'below')}: a part of the path is a file, not a folder (store.path)`,
  });
});

test('a link that leads nowhere is named', async () => {
  const link = join(await folder(), 'link');
  await symlink('nothing/there', link);
  for (const path of [link, join(link, 'store')]) {
    await expect(openStore(path, logger)).rejects.toMatchObject({
      code: 'store_unusable',
      message: `the store cannot be there: the link ${link} leads nowhere: make the folder that it names, or remove the link (store.path)`,
    });
  }
});

test.each([
  ['IO error: /store/LOCK: Read-only file system', /^that file system is read-only/],
  ['IO error: /store/LOCK: Permission denied', /^permission denied: the user/],
  ['IO error: /store/000003.log: No space left on device', /^the disk is full$/],
])('what LevelDB says is told as what the system says: %s', (message, told) => {
  expect(folderFault(Object.assign(new Error(message), { code: 'LEVEL_IO_ERROR' }))).toMatch(told);
  expect(folderFault(Object.assign(new Error(message), { code: 'LEVEL_OTHER' }))).toBeUndefined();
});

test.skipIf(process.platform !== 'linux')('a place where no folder can be made says so', async () => {
  await expect(openStore('/proc/slipway/store', logger)).rejects.toMatchObject({
    code: 'store_unusable',
    message: 'the store cannot be in /proc/slipway/store: no folder can be made there (store.path)',
  });
});

// A folder where even root may not write.
test.skipIf(process.platform !== 'linux')('a folder without permission says so', async () => {
  await expect(openStore('/sys/slipway/store', logger)).rejects.toMatchObject({
    message:
      'the store cannot be in /sys/slipway/store: permission denied: the user that runs slipway must be able to write there (store.path)',
  });
});
