import { Command } from 'commander';
import { examine } from '../doctor/doctor.js';
import type { Finding } from '../doctor/finding.js';
import { type Host, thisHost } from '../doctor/host.js';
import { asText, verdict } from '../doctor/print.js';
import { type ConfigFileOptions, withConfigOption } from './config-file.js';
import { type ConnectionFlags, connectionOf, withConnectionOptions } from './connection.js';
import { stopRequest } from './process.js';

const EXAMPLES = `
Examples:
  $ slipway doctor
      The config, the gateway, its links, its store, its bridges, and every serial port of the config. Opens no port.
  $ slipway doctor -c /etc/slipway/slipway.yaml
  $ slipway doctor bench
  $ slipway doctor /dev/ttyACM0
      Also listens to that port, unless a gateway or another program uses it: for up to a minute, at all usual rates.
      Opening a port resets most Arduinos.

A running gateway is asked how its links and bridges do, and is not disturbed. Where none runs, the broker of each bridge is connected
to and left again. It looks at the folder of the store. Nothing is changed in either.
Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage or config.`;

const SAID = 'as the config says';

interface DoctorOptions extends ConnectionFlags, ConfigFileOptions {
  readonly json?: boolean;
}

/** `slipway doctor [PORT]`: what is wrong between a board and its gateway, and what mends it. Throws as `examine` does. */
export function doctorCommand(host: Host = thisHost): Command {
  const command = withConfigOption(new Command('doctor'))
    .description(
      'look for what is wrong with config, gateway, bridges, ports and boards, and say what mends it',
    )
    .argument('[port]', 'a serial port, by its path or its name in the config, to be listened to as well')
    .option('--json', 'print a JSON object instead: ok, findings (level, check, about, text, mend, report)');
  return withConnectionOptions(command, { host: SAID, port: SAID })
    .addHelpText('after', EXAMPLES)
    .action(async (port: string | undefined, options: DoctorOptions) => {
      // A port that is being listened to is closed with the process.
      void stopRequest().then(() => process.exit(1));
      const request = {
        gateway: await connectionOf(options),
        ...(port !== undefined && { port }),
        ...(options.config !== undefined && { config: options.config }),
      };
      const findings: Finding[] = [];
      for await (const finding of examine(request, { ...host, progress: showProgress })) {
        findings.push(finding);
        showProgress('');
        if (!options.json) process.stdout.write(`${asText(finding)}\n`);
      }
      const ok = findings.every(({ level }) => level !== 'problem');
      process.stdout.write(
        options.json ? `${JSON.stringify({ ok, findings }, null, 2)}\n` : `${verdict(findings)}\n`,
      );
      const configIsWrong = findings.some(({ level, check }) => level === 'problem' && check === 'config');
      if (!ok) process.exitCode = configIsWrong ? 2 : 1;
    });
}

/** On a terminal, a line that the next one replaces. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${text && `${text} …`}`);
}
