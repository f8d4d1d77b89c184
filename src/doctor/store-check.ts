import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '../links/endpoint.js';
import { type Finding, Findings } from './finding.js';

/** With less than this a busy gateway soon has no room for what it has to keep, bytes. */
const LITTLE_ROOM = 64 * 1024 * 1024;

/**
 * Looks at the folder of the store, and opens nothing in it.
 * @param running A gateway runs: then it is its user who has to be able to write there, and it can.
 */
export async function* checkStore(path: string | undefined, running: boolean): AsyncGenerator<Finding> {
  if (path === undefined) return;
  const findings = new Findings('store', 'store');
  const folder = await nearestFolder(path);
  if (!running && !folder.isFolder) {
    yield findings.problem({
      problem: `${folder.path} is a file, not a folder`,
      mend: 'give store.path another folder',
    });
    return;
  }
  if (!running && !(await mayWrite(folder.path))) {
    const problem = `this user may not write in ${folder.path}`;
    const mend = `run the gateway as the user who may, or "sudo chown $USER ${folder.path}"`;
    yield findings.problem({ problem, mend });
    return;
  }
  const { bavail, bsize } = await statfs(folder.path);
  const free = bavail * bsize;
  if (free < LITTLE_ROOM) {
    const problem = `the disk of ${path} has only ${Math.floor(free / 1024 / 1024)} MiB left`;
    yield findings.problem({ problem, mend: 'make room there, or give store.path another disk' });
  } else yield findings.ok(path);
}

/** The store, or the folder in which it would be made. */
async function nearestFolder(path: string): Promise<{ path: string; isFolder: boolean }> {
  for (let at = path; ; at = dirname(at)) {
    try {
      return { path: at, isFolder: (await stat(at)).isDirectory() };
    } catch (error) {
      // What cannot be looked at is there.
      if (codeOf(error) === 'EACCES') return { path: at, isFolder: true };
      if (at === dirname(at)) throw error;
    }
  }
}

function mayWrite(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}
