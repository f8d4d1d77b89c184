import { type FileHandle, open, readFile, realpath, rename, stat, unlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { type Document, isMap, parseDocument } from 'yaml';
import { codeOf, reasonOf, SlipwayError } from '../errors.js';
import { parseUsers } from './users.js';

/** How long another writer may take, ms. */
const BUSY_MS = 5000;
const RETRY_MS = 50;

const NEW_FILE = `# Users and devices of Slipway: passwords and tokens as hashes, keys as they are. Keep it to yourself.
# \`slipway user\` and \`slipway key\` write it; the gateway reads it when it starts, and on SIGHUP.
`;

/** The users file as it is being changed. Comments stay. */
export class UsersEditor {
  readonly #document: Document;

  constructor(document: Document) {
    this.#document = document;
  }

  has(path: readonly string[]): boolean {
    return this.#document.hasIn(path);
  }

  /** Sets what stands at the path; what leads there is made if need be. */
  set(path: readonly string[], value: unknown): void {
    for (let depth = 1; depth < path.length; depth++) {
      const above = path.slice(0, depth);
      // `users:` with nothing below it is no mapping yet.
      if (!isMap(this.#document.getIn(above))) this.#document.setIn(above, this.#document.createNode({}));
    }
    this.#document.setIn(path, value);
  }

  delete(path: readonly string[]): void {
    this.#document.deleteIn(path);
  }
}

/**
 * Changes a users file, or makes it: whole or not at all, one writer at a time. Only its owner can read a new one, and not
 * everybody an old one.
 * @throws ConfigError when what stands there is no users file; SlipwayError `users_file_busy`, `users_file_unwritable`; what
 * `change` throws
 */
export async function editUsers(file: string, change: (users: UsersEditor) => void): Promise<void> {
  // A link stays a link.
  const target = await realpath(file).catch(() => file);
  const path = `${target}.new`;
  const handle = await lock(path, file);
  try {
    await handle.writeFile(await changed(target, file, change));
    await keepOwner(handle, target);
    await handle.sync();
    await handle.close();
    await rename(path, target);
  } catch (error) {
    await handle.close();
    await unlink(path);
    throw error instanceof SlipwayError ? error : unwritable(file, error);
  }
}

/** The text of a users file for whoever edits it; that of a new one if there is none. */
export async function usersText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return NEW_FILE;
    throw new SlipwayError('users_file_unreadable', `${file} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function changed(target: string, file: string, change: (users: UsersEditor) => void): Promise<string> {
  const before = await usersText(target);
  parseUsers(before, file);
  const document = parseDocument(before, { stringKeys: true });
  change(new UsersEditor(document));
  // Hashes are long: no line of them may be folded.
  const after = document.toString({ lineWidth: 0 });
  parseUsers(after, file);
  return after;
}

/** The new file, whose name is the lock. */
async function lock(path: string, file: string): Promise<FileHandle> {
  const until = performance.now() + BUSY_MS;
  for (;;) {
    try {
      return await open(path, 'wx', 0o600);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw unwritable(file, error);
      if (performance.now() > until) {
        const message = `${path} is there: another \`slipway user\` writes it; if none runs, one was killed: delete it`;
        throw new SlipwayError('users_file_busy', message);
      }
    }
    await pause(RETRY_MS);
  }
}

/** The daemon, which may be another user, has to read it as before. */
async function keepOwner(handle: FileHandle, target: string): Promise<void> {
  const before = await stat(target).catch(() => undefined);
  if (before === undefined || process.platform === 'win32') return;
  await handle.chmod((before.mode & 0o770) | 0o600);
  const { uid, gid } = await handle.stat();
  if (uid === before.uid && gid === before.gid) return;
  await handle.chown(before.uid, before.gid);
}

function unwritable(file: string, error: unknown): SlipwayError {
  return new SlipwayError('users_file_unwritable', `${file} cannot be written: ${reasonOf(error)}`, {
    cause: error,
  });
}
