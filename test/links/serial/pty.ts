import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { vi } from 'vitest';

/** How long a test waits for what must happen, in ms. */
export const PATIENCE = { timeout: 30_000, interval: 10 };

/** A pseudo-terminal under a path of our choice, with the board's end in our hands. `unplug()` takes it away. */
export class Pty {
  readonly path: string;
  /** All that was written to the port so far. */
  readonly written: Buffer[] = [];
  /** What the board makes of what is written to it. */
  onWrite: (bytes: Buffer) => void = () => {};
  readonly #socat: ChildProcess;

  private constructor(path: string, socat: ChildProcess) {
    this.path = path;
    this.#socat = socat;
    socat.stdout?.on('data', (chunk: Buffer) => {
      this.written.push(chunk);
      this.onWrite(chunk);
    });
  }

  static async plug(path: string): Promise<Pty> {
    const socat = spawn('socat', [`pty,raw,echo=0,link=${path}`, 'STDIO'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    // Writing to a board that was unplugged is no news here.
    socat.stdin?.on('error', () => {});
    const pty = new Pty(path, socat);
    await vi.waitFor(() => access(path), PATIENCE);
    return pty;
  }

  /** What the board sends. */
  print(bytes: string | Uint8Array): void {
    this.#socat.stdin?.write(bytes);
  }

  /** The rate that the port is set to, in baud. */
  async speed(): Promise<number> {
    return Number((await promisify(execFile)('stty', ['-F', this.path, 'speed'])).stdout);
  }

  async unplug(): Promise<void> {
    if (this.#socat.exitCode !== null || this.#socat.signalCode !== null) return;
    const exit = new Promise((resolve) => this.#socat.once('exit', resolve));
    this.#socat.kill();
    await exit;
  }
}
