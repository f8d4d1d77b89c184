import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { Diagnosis } from './diagnosis.js';

const GROUPS = '/etc/group';

/** Why this user may not open the port at `path`, and the command that mends it. `groups` is the file that lists them. */
export async function diagnosePermission(path: string, groups = GROUPS): Promise<Diagnosis> {
  const file = await stat(path).catch(() => undefined);
  const groupMay = file !== undefined && (file.mode & 0o060) === 0o060 && file.gid !== 0;
  if (!groupMay) {
    return {
      problem: `no permission to open ${path}, and no group has any`,
      mend: 'give it one with a udev rule, as in config/99-slipway.rules',
    };
  }
  const { name, members } = await groupOf(file.gid, groups);
  const problem = `no permission to open ${path}, which belongs to group ${name}`;
  // Groups are taken over at login: a user who was added since has them only in the file.
  return members.includes(userName())
    ? { problem, mend: 'you were added to it since you logged in: log in again (a service: restart it)' }
    : { problem, mend: `run "sudo usermod -aG ${name} $USER", then log in again` };
}

async function groupOf(gid: number, file: string): Promise<{ name: string; members: string[] }> {
  const groups = await readFile(file, 'utf8').catch(() => '');
  const fields = groups.split('\n').map((line) => line.split(':'));
  const entry = fields.find(([, , id]) => id === String(gid));
  return { name: entry?.[0] ?? String(gid), members: entry?.[3]?.split(',') ?? [] };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return ''; // A user id without a name, as containers have them.
  }
}
