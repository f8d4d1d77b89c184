import { lstat, stat } from 'node:fs/promises';
import { codeOf } from '../errors.js';

/** The names that LevelDB gives to its files. */
const OWN_FILES = /^(CURRENT|LOCK|LOG(\.old)?|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp))$/;

const NOT_PERMITTED = 'permission denied: the user that runs slipway must be able to write there';

const FAULTS: Readonly<Record<string, string>> = {
  EACCES: NOT_PERMITTED,
  EPERM: NOT_PERMITTED,
  EROFS: 'that file system is read-only (under systemd: StateDirectory= makes a folder)',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'there is a file of that name: name a folder',
  ENOENT: 'no folder can be made there',
  ENOSPC: 'the disk is full',
};

/** How LevelDB tells of the same: by the system's own words, at the end. */
const SAID: Readonly<Record<string, string>> = {
  'Permission denied': 'EACCES',
  'Read-only file system': 'EROFS',
  'No space left on device': 'ENOSPC',
};

/** Why a folder cannot be the store's, for people, as an error of the system or of LevelDB tells; undefined if it tells something else. */
export function folderFault(error: unknown): string | undefined {
  const { message = '' } = error as { message?: string };
  const said = codeOf(error) === 'LEVEL_IO_ERROR' ? message.split(': ').at(-1) : undefined;
  return FAULTS[said === undefined ? codeOf(error) : (SAID[said] ?? '')];
}

/** What is wrong with a folder that holds other things than a store, of which these are the names. */
export function strangerIn(files: readonly string[]): string | undefined {
  const stranger = files.find((name) => !OWN_FILES.test(name));
  return stranger && `there are other files in it ("${stranger}")`;
}

/** Whether there is a link of that name, and nothing where it leads. */
export async function leadsNowhere(path: string): Promise<boolean> {
  const isLink = await lstat(path).then(
    (file) => file.isSymbolicLink(),
    () => false,
  );
  if (!isLink) return false;
  return stat(path).then(
    () => false,
    (error) => ['ENOENT', 'ELOOP'].includes(codeOf(error)),
  );
}

/** The beginning of the names of what was set aside as damaged. */
export function asideOf(path: string): string {
  return `${path}.damaged-`;
}
