import { readFile } from 'node:fs/promises';
import { type Finding, Findings } from './finding.js';

const GROUPS = '/etc/group';
/** Who owns serial ports: on Debian, Fedora and their kin; on Arch. */
const USUAL = ['dialout', 'uucp'];

/** Whether this user is in the group that usually owns serial ports: known also where no board is plugged in yet. */
export async function* checkGroup(): AsyncGenerator<Finding> {
  const mine = process.getgroups?.();
  if (process.platform !== 'linux' || mine === undefined || process.getuid?.() === 0) return;
  const groups = (await readFile(GROUPS, 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'));
  const usual = USUAL.flatMap((name) => groups.filter((fields) => fields[0] === name))[0];
  if (usual === undefined || mine.includes(Number(usual[2]))) return;
  const [name] = usual;
  yield new Findings('group', 'user').note(
    `you are not in group ${name}, which serial ports usually belong to`,
    `run "sudo usermod -aG ${name} $USER", then log in again`,
  );
}
