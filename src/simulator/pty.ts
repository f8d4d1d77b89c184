import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open, readlink, stat, symlink, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { Counters } from '../counters.js';
import { reasonOf, SlipwayError } from '../errors.js';
import type { VirtualUno } from './uno.js';

/** What may wait for socat, in bytes, beyond what the kernel holds. A serial driver holds as much for a program that does not read. */
const UNREAD_BYTES = 4096;

export interface PtyOptions {
  /** Told of `uno.drop.unread`: bytes from the board that nobody read from the pty. */
  readonly counters?: Counters;
  /** The program that makes the pty. Default: `socat`, from PATH. */
  readonly socat?: string;
}

/** A board's UART as a terminal device that any program can open like a serial port. */
export interface Pty {
  readonly path: string;
  /** Resolves with the reason when the pty ended otherwise than by `close`. */
  readonly lost: Promise<string>;
  /** Removes `path` and ends the pty; the board goes on. Calling it again does nothing. */
  close(): Promise<void>;
}

/**
 * Leads the UART of `uno` out to a pseudo-terminal, with a symbolic link to it at `path`. Programs may open and close it as they
 * like. A pty has no DTR line, so opening it does not reset the board.
 *
 * @throws SlipwayError `socat_missing`; `pty_path_taken` when something is at `path` (a link that leads nowhere is
 * replaced); `pty_failed` when its directory is missing or may not be written, or socat fails
 */
export async function openPty(uno: VirtualUno, path: string, options: PtyOptions = {}): Promise<Pty> {
  const socat = startSocat(options.socat ?? 'socat');
  const opened: { device?: string; link?: string; held?: FileHandle } = {};
  const release = async (): Promise<void> => {
    const { device, link, held } = opened;
    if (link && device && (await readlink(link).catch(() => undefined)) === device) await unlink(link);
    await held?.close();
    socat.process.kill();
    await socat.ended;
  };

  try {
    const device = await socat.device;
    opened.device = device;
    // As long as we hold it open, it does not hang up when the last program closes it.
    opened.held = await open(device, constants.O_RDWR | constants.O_NOCTTY);
    await link(device, path);
    opened.link = path;
  } catch (error) {
    await release();
    throw error;
  }

  const detach = connect(uno, socat.process, options.counters ?? new Counters());
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    detach();
    closing ??= release();
    return closing;
  };
  const lost = new Promise<string>((resolve) => {
    void socat.ended.then((reason) => {
      if (!closing) resolve(reason);
    });
  });
  return { path, lost, close };
}

/** Carries bytes both ways; returns the function that ends it. */
function connect(uno: VirtualUno, socat: ChildProcessWithoutNullStreams, counters: Counters): () => void {
  let rest: Uint8Array = new Uint8Array();
  const toBoard = (): void => {
    rest = rest.subarray(uno.write(rest.subarray(0, uno.room)));
    if (rest.length === 0) socat.stdout.resume();
    else socat.stdout.pause();
  };
  const received = (bytes: Uint8Array): void => {
    rest = bytes;
    toBoard();
  };
  socat.stdout.on('data', received);
  const ends = [
    () => socat.stdout.off('data', received).resume(),
    uno.onRoom(() => {
      if (rest.length > 0) toBoard();
    }),
    uno.onData((bytes) => {
      if (socat.stdin.writableLength + bytes.length > UNREAD_BYTES)
        counters.add('uno.drop.unread', bytes.length);
      else socat.stdin.write(bytes);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

interface Socat {
  readonly process: ChildProcessWithoutNullStreams;
  /** The pty that it made. Rejects when it could not. */
  readonly device: Promise<string>;
  /** Resolves, with why, when the process is gone or could not be started. */
  readonly ended: Promise<string>;
}

function startSocat(program: string): Socat {
  // Detached: a Ctrl-C at the terminal is ours to act on. When this process dies, socat sees the end of its input and ends.
  const child = spawn(program, ['-d', '-d', '-t', '0.1', 'PTY,rawer', 'STDIO'], { detached: true });
  child.stdin.on('error', () => {}); // The process is gone; `ended` tells.
  const lines = createInterface({ input: child.stderr });
  let lastLine = '';
  lines.on('line', (line) => {
    lastLine = line;
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => {
      resolve(`socat ended with ${signal ?? `status ${code}`}${lastLine && `: ${lastLine}`}`);
    });
  });
  const device = new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      const name = / PTY is (\S+)$/.exec(line)?.[1];
      if (name) resolve(name);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') reject(missing(program));
    });
    void ended.then((reason) => reject(new SlipwayError('pty_failed', `cannot make a pty: ${reason}`)));
  });
  return { process: child, device, ended };
}

function missing(program: string): SlipwayError {
  return new SlipwayError(
    'socat_missing',
    `a pty needs socat, and there is no program "${program}"; install it with "sudo apt install socat" ` +
      '(Debian, Ubuntu), "sudo dnf install socat" (Fedora) or "brew install socat" (macOS)',
  );
}

async function link(device: string, path: string): Promise<void> {
  try {
    await symlink(device, path).catch(async (error: NodeJS.ErrnoException) => {
      // What a simulator left behind that was killed may go. `unlink` spares directories, `leadsNowhere` all else.
      if (error.code !== 'EEXIST' || !(await leadsNowhere(path))) throw error;
      await unlink(path);
      await symlink(device, path);
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      const mend = 'choose another path, or remove it if no simulator uses it';
      throw new SlipwayError('pty_path_taken', `cannot put the pty at ${path}: it exists already; ${mend}`);
    }
    const why = code === 'ENOENT' ? `there is no directory ${dirname(path)}; make it first` : reasonOf(error);
    throw new SlipwayError('pty_failed', `cannot put the pty at ${path}: ${why}`, { cause: error });
  }
}

async function leadsNowhere(path: string): Promise<boolean> {
  try {
    await readlink(path);
  } catch {
    return false; // No link at all.
  }
  return stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}
