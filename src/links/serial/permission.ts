import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';

const GROUPS = '/etc/group';

/** Why this user may not open the port at `path`, and the command that mends it. */
export async function explainPermission(path: string): Promise<string> {
  const file = await stat(path).catch(() => undefined);
  const groupMay = file !== undefined && (file.mode & 0o060) === 0o060 && file.gid !== 0;
  if (!groupMay) {
    return `no permission to open ${path}, and no group has any: give it one with a udev rule, as in config/99-slipway.rules`;
  }
  const { name, members } = await groupOf(file.gid);
  const belongs = `no permission to open ${path}, which belongs to group ${name}`;
  // Groups are taken over at login: a user who was added since has them only in the file.
  return members.includes(userName())
    ? `${belongs}: you are in it, but not since you logged in: log in again (a service: restart it)`
    : `${belongs}: run "sudo usermod -aG ${name} $USER", then log in again`;
}

async function groupOf(gid: number): Promise<{ name: string; members: string[] }> {
  const groups = await readFile(GROUPS, 'utf8').catch(() => '');
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
