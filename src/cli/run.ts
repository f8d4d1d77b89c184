import { Command } from 'commander';
import type { Logger } from 'pino';
import { resolveConfig } from '../config/find.js';
import { reasonOf, SlipwayError } from '../errors.js';
import { Gateway } from '../gateway/gateway.js';
import { type ConfigFileOptions, configFile, withConfigFile } from './config-file.js';
import { createLogger } from './logger.js';
import { onHangUp, stopRequest } from './process.js';
import { version } from './version.js';

const EXAMPLES = `
Examples:
  $ slipway run
      Listens on 127.0.0.1, TCP and UDP port 7770, unless there is a config file.
  $ slipway run /etc/slipway/slipway.yaml

SIGTERM or Ctrl-C ends it: peers are told, and it exits within 2 s. SIGHUP has it read the config and the certificates
again; the log says what needs a restart. A config that cannot be used changes nothing.`;

/**
 * `slipway run [FILE]`: the daemon.
 * @throws ConfigError with every problem of the config; SlipwayError `listen_failed` when it cannot listen, `tls_unusable` for a
 *   certificate or key that cannot be used, `usage` when two configs are named
 */
export function runCommand(): Command {
  return withConfigFile(new Command('run'))
    .description('run the gateway')
    .addHelpText('after', EXAMPLES)
    .action(async (argument: string | undefined, options: ConfigFileOptions) => {
      const named = configFile(argument, options);
      const stop = stopRequest();
      const hangUps = onHangUp();
      const { config, file } = await resolveConfig(named, process.env);
      const logger = await createLogger(config.log);
      logger.info(
        { version, config: file },
        `slipway ${version}, ${file ? `config: ${file}` : 'no config file: the defaults apply'}`,
      );
      const gateway = await Gateway.start({ config, logger });
      hangUps.handle(() => reload(gateway, named, logger));
      await stop;
      logger.info('stopping');
      await gateway.stop();
      logger.info('stopped');
      // A peer that reads nothing would hold its connection, and this process, for longer.
      process.exit();
    });
}

/** Reads the config again and takes on what can be; the old one stays where it cannot be used. */
async function reload(gateway: Gateway, named: string | undefined, logger: Logger): Promise<void> {
  try {
    const { config, file } = await resolveConfig(named, process.env);
    const restart = await gateway.reload(config);
    logger.info({ config: file }, `read again: ${file ?? 'no config file, the defaults apply'}`);
    if (restart.length > 0)
      logger.warn({ settings: restart }, `changed, but only a restart applies it: ${restart.join(', ')}`);
  } catch (error) {
    logger.error(
      error instanceof SlipwayError ? {} : { err: error },
      `nothing is changed, the old config stays: ${reasonOf(error)}`,
    );
  }
}
