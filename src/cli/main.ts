#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { SlipwayError } from '../errors.js';
import { version } from './version.js';

/** What the process exits with. */
const FAILED = 1;
const WRONG_USAGE = 2;

/** What a command needs takes its time to load: so only the one that is called is, or all, for their help. */
const COMMANDS = new Map<string, () => Promise<Command>>([
  ['run', async () => (await import('./run.js')).runCommand()],
  ['check', async () => (await import('./check.js')).checkCommand()],
  ['sub', async () => (await import('./sub.js')).subCommand()],
  ['emit', async () => (await import('./emit.js')).emitCommand()],
  ['broadcast', async () => (await import('./emit.js')).broadcastCommand()],
  ['devices', async () => (await import('./devices.js')).devicesCommand()],
  ['user', async () => (await import('./user.js')).userCommand()],
  ['key', async () => (await import('./key.js')).keyCommand()],
  ['ports', async () => (await import('./ports.js')).portsCommand()],
  ['doctor', async () => (await import('./doctor.js')).doctorCommand()],
  ['simulate', async () => (await import('./simulate.js')).simulateCommand()],
  ['demo', async () => (await import('./demo.js')).demoCommand()],
]);

const program = new Command('slipway')
  .description(
    'A gateway: microcontrollers over serial and UDP, programs over TCP and MQTT, one set of channels.',
  )
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

// Whoever reads the output may have enough of it, as `head` has.
for (const output of [process.stdout, process.stderr])
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

const called = COMMANDS.get(process.argv[2] ?? '');
for (const load of called ? [called] : COMMANDS.values()) {
  program.addCommand(withOurErrors(await load()));
}
program.exitOverride().showHelpAfterError('(--help lists the commands)');

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** Of subcommands, too, the errors are ours to report. */
function withOurErrors(command: Command): Command {
  for (const subcommand of command.commands) withOurErrors(subcommand);
  return command.showHelpAfterError('(--help shows how to use it)').exitOverride();
}

/** Says what went wrong, one line for what a user can mend, and returns what to exit with. */
function exitCodeOf(error: unknown): number {
  // Commander has printed it already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE;
  if (!(error instanceof SlipwayError)) throw error;
  // Each line of a config report begins with its place in the file.
  const speaker = error.code === 'config_invalid' ? '' : 'slipway: ';
  process.stderr.write(`${speaker}${error.message}\n`);
  return ['config_invalid', 'tls_unusable', 'usage', 'bad_channel'].includes(error.code)
    ? WRONG_USAGE
    : FAILED;
}
