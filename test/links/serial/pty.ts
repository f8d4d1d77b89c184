import { type ChildProcess, spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import { vi } from 'vitest';

/** How long a test waits for what must happen, in ms. */
export const PATIENCE = { timeout: 15_000, interval: 10 };

/** A pseudo-terminal under a path of our choice, with the board's end in our hands. `unplug()` takes it away. */
export class Pty {
  readonly path: string;
  /** All that was written to the port so far. */
  readonly written: Buffer[] = [];
  readonly #socat: ChildProcess;

  private constructor(path: string, socat: ChildProcess) {
    this.path = path;
    this.#socat = socat;
    socat.stdout?.on('data', (chunk: Buffer) => this.written.push(chunk));
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

  async unplug(): Promise<void> {
    if (this.#socat.exitCode !== null || this.#socat.signalCode !== null) return;
    const exit = new Promise((resolve) => this.#socat.once('exit', resolve));
    this.#socat.kill();
    await exit;
  }
}
