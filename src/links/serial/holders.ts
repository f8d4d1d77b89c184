import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A process that has a file open. */
export interface Holder {
  readonly pid: number;
  /** What the system calls the program, at most 15 characters. */
  readonly name: string;
}

/**
 * The processes that keep `target` from others: those with a lock on it, else those that have it open. `target` is a device (its
 * real path) or `socket:[inode]`. Linux only; empty elsewhere. Of another user's process only root sees what it has open; locks
 * everyone may see.
 */
export async function findHolders(target: string, proc = '/proc'): Promise<Holder[]> {
  const locking = await findLockers(target, proc);
  return locking.length > 0 ? locking : named(await openers(target, proc), proc);
}

/** The processes whose program is called `name`. */
export async function findPrograms(name: string, proc = '/proc'): Promise<Holder[]> {
  return (await named(await processes(proc), proc)).filter((program) => program.name === name);
}

/** `screen (pid 4711)`, or several of these. */
export function describeHolders(holders: readonly Holder[]): string {
  return holders.map(({ name, pid }) => `${name} (pid ${pid})`).join(' and ');
}

async function processes(proc: string): Promise<number[]> {
  const entries = await readdir(proc).catch(() => []);
  return entries.filter((entry) => /^\d+$/.test(entry)).map(Number);
}

async function openers(target: string, proc: string): Promise<number[]> {
  const pids = await processes(proc);
  const open = await Promise.all(pids.map((pid) => hasOpen(join(proc, String(pid), 'fd'), target)));
  return pids.filter((_, index) => open[index]);
}

async function hasOpen(folder: string, target: string): Promise<boolean> {
  for (const fd of await readdir(folder).catch(() => [])) {
    if ((await readlink(join(folder, fd)).catch(() => undefined)) === target) return true;
  }
  return false;
}

function named(pids: readonly number[], proc: string): Promise<Holder[]> {
  return Promise.all(pids.map(async (pid) => ({ pid, name: await nameOf(pid, proc) })));
}

async function nameOf(pid: number, proc: string): Promise<string> {
  const comm = await readFile(join(proc, String(pid), 'comm'), 'utf8').catch(() => '');
  return comm.trim() || 'a program';
}

/** The processes that hold a lock on the file, as programs that mean to have a port for themselves do. */
export async function findLockers(path: string, proc = '/proc'): Promise<Holder[]> {
  const file = await stat(path).catch(() => undefined);
  if (file === undefined) return [];
  const major = (file.dev >>> 8) & 0xfff;
  const minor = (file.dev & 0xff) | ((file.dev >>> 12) & 0xfff00);
  const place = `${hex(major)}:${hex(minor)}:${file.ino}`;
  const locks = await readFile(join(proc, 'locks'), 'utf8').catch(() => '');
  const pids = locks
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.includes(place))
    .map((fields) => Number(fields[fields.indexOf(place) - 1]))
    .filter((pid) => pid > 0);
  return named([...new Set(pids)], proc);
}

function hex(number: number): string {
  return number.toString(16).padStart(2, '0');
}
