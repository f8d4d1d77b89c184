import { access, constants, readdir, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '../errors.js';
import { describeHolders, findLockers } from '../links/serial/holders.js';
import { asideOf, folderFault, leadsNowhere, strangerIn } from '../store/folder.js';
import { type Finding, Findings } from './finding.js';
import type { Host } from './host.js';

/** With less than this a busy gateway soon has no room for what it has to keep, bytes. */
const LITTLE_ROOM = 64 * 1024 * 1024;
const ELSEWHERE = 'give store.path another folder';
const findings = new Findings('store', 'store');

/**
 * Looks at the folder of the store, and opens nothing in it: what `openStore` would refuse is a problem.
 * @param running A gateway runs: then it is its user who has to be able to write there, and it can.
 */
export async function* checkStore(
  path: string | undefined,
  running: boolean,
  host: Host,
): AsyncGenerator<Finding> {
  if (path === undefined) return;
  const problem = (await problemOf(path)) ?? (running ? undefined : await problemOfWriting(path));
  yield problem ?? findings.ok(path);
  const holders = running ? [] : await findLockers(join(path, 'LOCK'), host.proc);
  if (holders.length > 0) {
    const mend =
      'if that is not the gateway of this config, stop it, or give this one a store.path of its own';
    yield findings.note(`it is in use by ${describeHolders(holders)}`, mend);
  }
  const aside = await setAside(path);
  if (aside.length === 0) return;
  const text = `an earlier store was damaged and set aside: ${aside.join(', ')}`;
  yield findings.note(text, 'delete it when you need nothing of it');
}

/** What no gateway can do with it, whoever runs it. */
export async function problemOf(path: string): Promise<Finding | undefined> {
  const folder = await nearest(path);
  if (folder.kind === 'link')
    return findings.problem({
      problem: `the link ${folder.path} leads nowhere`,
      mend: 'make the folder that it names, or remove the link',
    });
  if (folder.kind === 'file')
    return findings.problem({ problem: `${folder.path} is a file, not a folder`, mend: ELSEWHERE });
  const stranger = folder.path === path && strangerIn(await readdir(path).catch(() => []));
  if (stranger)
    return findings.problem({
      problem: `the store cannot be in ${path}: ${stranger}`,
      mend: 'give store.path a folder of its own',
    });
  const disk = await statfs(folder.path).catch(() => undefined);
  const free = disk === undefined ? LITTLE_ROOM : disk.bavail * disk.bsize;
  if (free >= LITTLE_ROOM) return undefined;
  const problem = `the disk of ${path} has only ${Math.floor(free / 1024 / 1024)} MiB left`;
  return findings.problem({ problem, mend: 'make room there, or give store.path another disk' });
}

/** What keeps a gateway of this user from it. */
async function problemOfWriting(path: string): Promise<Finding | undefined> {
  const { path: folder } = await nearest(path);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if (codeOf(error) === 'EROFS')
      return findings.problem({ problem: `${folder}: ${folderFault(error)}`, mend: ELSEWHERE });
    return findings.problem({
      problem: `this user may not write in ${folder}`,
      mend: `run the gateway as the user who may, or "sudo chown $USER ${folder}"`,
    });
  }
}

/** The store, or the folder in which it would be made, or what is in its place. */
async function nearest(path: string): Promise<{ path: string; kind: 'folder' | 'file' | 'link' }> {
  for (let at = path; ; at = dirname(at)) {
    try {
      return { path: at, kind: (await stat(at)).isDirectory() ? 'folder' : 'file' };
    } catch (error) {
      // What cannot be looked at is there.
      if (codeOf(error) === 'EACCES') return { path: at, kind: 'folder' };
      if (await leadsNowhere(at)) return { path: at, kind: 'link' };
      if (at === dirname(at)) throw error;
    }
  }
}

async function setAside(path: string): Promise<string[]> {
  const folder = dirname(path);
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.startsWith(basename(asideOf(path)))).map((name) => join(folder, name));
}
