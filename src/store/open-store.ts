import { mkdir, readdir, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { reasonOf, SlipwayError } from '../errors.js';
import type { Backend } from './backend.js';
import { type Contents, ContentsReader } from './contents.js';
import { asideOf, folderFault, leadsNowhere, strangerIn } from './folder.js';
import { LevelBackend } from './level-backend.js';
import { DamagedRecord, FORMAT } from './records.js';
import { seal } from './seal.js';

export interface OpenedStore {
  readonly backend: Backend;
  readonly contents: Contents;
}

/**
 * Opens the store in the folder `path`, made if need be, and reads it. A damaged one is set aside, which the log says, and
 * an empty one takes its place.
 * @throws SlipwayError `store_unusable` when the folder cannot be used, `store_in_use` when another process has it
 */
export async function openStore(path: string, logger: Logger): Promise<OpenedStore> {
  const isNew = await prepareFolder(path);
  try {
    if (isNew) return await create(path);
    const opened = await read(path);
    await reportLosses(path, logger);
    return opened;
  } catch (error) {
    const damage = damageOf(error);
    if (damage === undefined) throw problemOf(error, path);
    const aside = await setAside(path);
    logger.error(
      { path, aside, damage },
      `the store in ${path} is damaged (${damage}): it was moved to ${aside}, and an empty one takes its place; what it held for absent peers is lost to them`,
    );
    await prepareFolder(path);
    try {
      return await create(path);
    } catch (again) {
      throw problemOf(again, path);
    }
  }
}

/** LevelDB steps over a part of its log that is spoiled, and says so only in a file of its own, anew each time it is opened. */
async function reportLosses(path: string, logger: Logger): Promise<void> {
  const said = await readFile(join(path, 'LOG'), 'utf8').catch(() => '');
  const losses = [...said.matchAll(/dropping (\d+) bytes; (.+)/g)];
  if (losses.length === 0) return;
  const bytes = losses.reduce((sum, [, count]) => sum + Number(count), 0);
  const what = losses[0]?.[2];
  logger.error(
    { path, bytes, what },
    `the store in ${path} has lost ${bytes} bytes of its log (${what}): if the power was cut, they were never acknowledged; if not, the disk is failing, and what was stored last is missing or comes again`,
  );
}

async function create(path: string): Promise<OpenedStore> {
  const backend = await LevelBackend.open(path);
  const format = { key: FORMAT.key, value: seal(FORMAT.key, FORMAT.value) };
  await new Promise<void>((resolve, reject) => {
    backend.write([format], (error) => (error === undefined ? resolve() : reject(error)));
  });
  const reader = new ContentsReader();
  reader.add(format.key, format.value);
  return { backend, contents: reader.contents() };
}

async function read(path: string): Promise<OpenedStore> {
  const backend = await LevelBackend.open(path);
  try {
    const reader = new ContentsReader();
    for await (const entries of backend.entries()) {
      for (const [key, value] of entries) reader.add(key, value);
    }
    return { backend, contents: reader.contents() };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** Returns whether it is empty. A folder with anything else in it is never written to, let alone moved. */
async function prepareFolder(path: string): Promise<boolean> {
  let files: string[];
  try {
    await makeFolder(path);
    files = await readdir(path);
  } catch (cause) {
    throw problemOf(cause, path);
  }
  const stranger = strangerIn(files);
  if (stranger !== undefined)
    throw new SlipwayError(
      'store_unusable',
      `the store cannot be in ${path}: ${stranger}; name a folder of its own (store.path)`,
    );
  return files.length === 0;
}

/** What is wrong with the store itself, if it is that. */
function damageOf(error: unknown): string | undefined {
  if (error instanceof DamagedRecord) return error.message;
  const { code, message = '' } = causeOf(error);
  const fileMissing = code === 'LEVEL_IO_ERROR' && message.includes('No such file');
  return code === 'LEVEL_CORRUPTION' || fileMissing ? message : undefined;
}

/** What LevelDB says stands in the cause of what classic-level says. */
function causeOf(error: unknown): { readonly code?: string; readonly message?: string } {
  return error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error);
}

function problemOf(error: unknown, path: string): SlipwayError {
  if (error instanceof SlipwayError) return error;
  const cause = causeOf(error);
  if (cause.code === 'LEVEL_LOCKED')
    return new SlipwayError(
      'store_in_use',
      `the store in ${path} is in use: another slipway runs with it; stop that one, or give this one its own (store.path)`,
      { cause: error },
    );
  const fault = folderFault(cause) ?? reasonOf(cause);
  return new SlipwayError('store_unusable', `the store cannot be in ${path}: ${fault} (store.path)`, {
    cause: error,
  });
}

/** Makes the folder, for its owner alone, and those above it. Not by `recursive`: Node tries for ever where that is impossible. */
async function makeFolder(path: string): Promise<void> {
  const make = () => mkdir(path, { mode: 0o700 });
  try {
    await make();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT' && dirname(path) !== path) {
      await makeFolder(dirname(path));
      await make();
    } else if (await leadsNowhere(path)) {
      throw new SlipwayError(
        'store_unusable',
        `the store cannot be there: the link ${path} leads nowhere: make the folder that it names, or remove the link (store.path)`,
        { cause: error },
      );
    } else if (code !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error;
  }
}

async function setAside(path: string): Promise<string> {
  const stamp = new Date().toISOString().replace(/[:.]/g, '-');
  const aside = `${asideOf(path)}${stamp}`;
  try {
    await rename(path, aside);
  } catch (cause) {
    throw problemOf(cause, path);
  }
  return aside;
}
