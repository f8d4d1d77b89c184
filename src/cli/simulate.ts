import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { Command } from 'commander';
import { Counters } from '../counters.js';
import { codeOf, reasonOf, SlipwayError } from '../errors.js';
import { parseIntelHex } from '../simulator/intel-hex.js';
import { openPty } from '../simulator/pty.js';
import { VirtualUno } from '../simulator/uno.js';
import { print, stopRequest } from './process.js';

const LED_PIN = 13;
/** The LED is reported at most this often, in ms, as it then stands: a sketch may flicker it faster than anyone reads. */
const LED_INTERVAL_MS = 100;

const EXAMPLES = `
Examples:
  $ slipway simulate SerialSensor.hex --pty /tmp/uno
      Runs the sketch on a virtual Arduino Uno. Give /tmp/uno as the path of a serial port in the gateway's configuration.
  $ slipway simulate SerialSensor.hex
      The same, at a path that it chooses and prints.

The .hex comes from the Arduino IDE (Sketch, Export Compiled Binary), arduino-cli, PlatformIO or avr-objcopy.
Ctrl-C ends the simulation. Needs socat.`;

/** What the command needs of the process that it runs in. */
export interface SimulateHost {
  print(line: string): void;
  /** Resolves when the process is asked to stop. */
  stopRequest(): Promise<void>;
}

const processHost: SimulateHost = { print, stopRequest };

/** `slipway simulate FIRMWARE.hex [--pty PATH]`: runs a board's firmware on a virtual Uno until the process is asked to stop. */
export function simulateCommand(host: SimulateHost = processHost): Command {
  return new Command('simulate')
    .description("run a board's firmware on a virtual Arduino Uno whose serial port any program can open")
    .argument('<firmware.hex>', 'the compiled sketch, as Intel HEX')
    .option('--pty <path>', 'where its serial port appears (default: a path in the temporary directory)')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: { pty?: string }) =>
      simulate(file, resolve(options.pty ?? defaultPath()), host),
    );
}

function defaultPath(): string {
  return join(tmpdir(), `slipway-uno-${process.pid}`);
}

async function simulate(file: string, path: string, host: SimulateHost): Promise<void> {
  const stop = host.stopRequest();
  const counters = new Counters();
  const uno = new VirtualUno(await load(file), { counters });
  const pty = await openPty(uno, path, { counters });
  const stopLed = reportLed(uno, (line) => host.print(line));
  try {
    host.print(`${basename(file)} runs on a virtual Uno; its serial port is ${pty.path}`);
    uno.start();
    const lost = await Promise.race([stop, pty.lost]);
    if (lost !== undefined) throw new SlipwayError('pty_failed', `the pty at ${pty.path} is gone: ${lost}`);
  } finally {
    stopLed();
    uno.stop();
    await pty.close();
  }
  const lines = Object.entries(counters.snapshot()).map(([name, count]) => `${name} ${count}`);
  host.print(lines.length > 0 ? `stopped; ${lines.join(', ')}` : 'stopped');
}

async function load(file: string): Promise<Uint8Array> {
  let text: string;
  try {
    text = await readFile(file, 'latin1');
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'there is no such file' : reasonOf(error);
    throw new SlipwayError('firmware_unreadable', `cannot read the firmware ${file}: ${why}`, {
      cause: error,
    });
  }
  try {
    return parseIntelHex(text);
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    throw new SlipwayError(error.code, `${file}: ${error.message}`, { cause: error });
  }
}

/** Prints changes of the LED; returns the function that ends it. */
function reportLed(uno: VirtualUno, print: (line: string) => void): () => void {
  let now = false;
  let printed = false;
  let timer: NodeJS.Timeout | undefined;
  const report = (): void => {
    timer = undefined;
    if (now === printed) return;
    printed = now;
    print(`LED ${now ? 'on' : 'off'}`);
    timer = setTimeout(report, LED_INTERVAL_MS);
  };
  const detach = uno.onPin(LED_PIN, (high) => {
    now = high;
    if (timer === undefined) report();
  });
  return () => {
    detach();
    clearTimeout(timer);
  };
}
