import { readPolicy } from '../access/policy.js';
import { checkBridgeFiles } from '../bridges/upstream-files.js';
import { FileProblems } from '../config/file-problems.js';
import type { SettingName } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { checkCertificates } from '../gateway/stream-listeners.js';

export interface NamedFiles {
  readonly about: 'tls' | 'users' | 'bridges';
  readonly found: FileProblems;
}

/** Reads the files that a config names (certificates, keys, users, logins of bridges), and uses none. */
export async function checkNamedFiles(
  { listen, access, bridges }: Config,
  nameOf: SettingName,
): Promise<NamedFiles[]> {
  const users = new FileProblems();
  await users.add(readPolicy(access).then(() => ({ warnings: [] })));
  return [
    { about: 'tls', found: await checkCertificates(listen, nameOf) },
    { about: 'users', found: users },
    { about: 'bridges', found: await checkBridgeFiles(bridges, nameOf) },
  ];
}
