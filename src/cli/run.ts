import { Command } from 'commander';
import { CONFIG_FILES, resolveConfig } from '../config/find.js';
import { Gateway } from '../gateway/gateway.js';
import { createLogger } from './logger.js';
import { stopRequest } from './process.js';
import { version } from './version.js';

const EXAMPLES = `
Examples:
  $ slipway run
      Listens on 127.0.0.1, TCP and UDP port 7770, unless there is a config file.
  $ slipway run -c /etc/slipway/slipway.yaml

SIGTERM or Ctrl-C ends it: peers are told, and it exits within 2 s.`;

/**
 * `slipway run`: the daemon.
 * @throws ConfigError with every problem of the config; SlipwayError `listen_failed` when it cannot listen
 */
export function runCommand(): Command {
  return new Command('run')
    .description('run the gateway')
    .option('-c, --config <file>', `config file (default: the first there is of ${CONFIG_FILES.join(', ')})`)
    .addHelpText('after', EXAMPLES)
    .action(async (options: { config?: string }) => {
      const stop = stopRequest();
      const { config, file } = await resolveConfig(options.config, process.env);
      const logger = await createLogger(config.log);
      logger.info(
        { version, config: file },
        `slipway ${version}, ${file ? `config: ${file}` : 'no config file: the defaults apply'}`,
      );
      const gateway = await Gateway.start({ config, logger });
      await stop;
      logger.info('stopping');
      await gateway.stop();
      logger.info('stopped');
      // A peer that reads nothing would hold its connection, and this process, for longer.
      process.exit();
    });
}
