#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { SlipwayError } from '../errors.js';
import { checkCommand } from './check.js';
import { demoCommand } from './demo.js';
import { devicesCommand } from './devices.js';
import { doctorCommand } from './doctor.js';
import { broadcastCommand, emitCommand } from './emit.js';
import { portsCommand } from './ports.js';
import { runCommand } from './run.js';
import { simulateCommand } from './simulate.js';
import { subCommand } from './sub.js';
import { version } from './version.js';

/** What the process exits with. */
const FAILED = 1;
const WRONG_USAGE = 2;

const program = new Command('slipway')
  .description('A gateway: microcontrollers over serial and UDP, programs over TCP, one set of channels.')
  .version(version)
  .addHelpText(
    'after',
    `
Examples:
  $ slipway demo                          see it work, without any hardware
  $ slipway run                           run the gateway
  $ slipway sub 'greenhouse/#'            print messages
  $ slipway emit greenhouse/led on        send one

Exit codes: 0 done, 1 failed at run time, 2 wrong usage or config.`,
  );

for (const command of [
  runCommand(),
  checkCommand(),
  subCommand(),
  emitCommand(),
  broadcastCommand(),
  devicesCommand(),
  portsCommand(),
  doctorCommand(),
  simulateCommand(),
  demoCommand(),
]) {
  program.addCommand(command.showHelpAfterError('(--help shows how to use it)').exitOverride());
}
program.exitOverride().showHelpAfterError('(--help lists the commands)');

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** Says what went wrong, one line for what a user can mend, and returns what to exit with. */
function exitCodeOf(error: unknown): number {
  // Commander has printed it already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE;
  if (!(error instanceof SlipwayError)) throw error;
  // Each line of a config report begins with its place in the file.
  const speaker = error.code === 'config_invalid' ? '' : 'slipway: ';
  process.stderr.write(`${speaker}${error.message}\n`);
  return ['config_invalid', 'usage', 'bad_channel'].includes(error.code) ? WRONG_USAGE : FAILED;
}
