import { closeSync, openSync } from 'node:fs';
import { relative } from 'node:path';
import { isatty } from 'node:tty';

/** Scripts of package.json that show something before `slipway` is on anybody's PATH. */
const SHOWN_FIRST = ['start', 'fleet'];

/** Writes a line to standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What runs this program in another terminal: for who began with `npm start`, in the same folder. */
export function ownCommand({ npm_lifecycle_event: script = '' } = process.env): string {
  const [, main = ''] = process.argv;
  return SHOWN_FIRST.includes(script) ? `node ${relative(process.cwd(), main)}` : 'slipway';
}

/** Resolves when the process is asked to stop, or whoever read its output has gone, as `head` does. */
export function stopRequest(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
    process.stdout.on('error', () => resolve());
  });
}

/**
 * From now on SIGHUP does not end the process, unless its terminal was closed. Each calls what `handle` was given, one call at a
 * time; those that come before it is known, or during a call, make one more.
 */
export function onHangUp(): { handle(handler: () => Promise<void>): void } {
  const terminal = isatty(0) || isatty(1);
  let handler: (() => Promise<void>) | undefined;
  let due = false;
  let busy = false;
  const work = async (): Promise<void> => {
    if (busy || handler === undefined) return;
    busy = true;
    while (due) {
      due = false;
      await handler();
    }
    busy = false;
  };
  const hungUp = (): void => {
    if (terminal && !hasTerminal()) {
      process.off('SIGHUP', hungUp);
      process.kill(process.pid, 'SIGHUP');
      return;
    }
    due = true;
    void work();
  };
  process.on('SIGHUP', hungUp);
  return {
    handle(given) {
      handler = given;
      void work();
    },
  };
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
