import { Command } from 'commander';
import { readPolicy } from '../access/policy.js';
import { CONFIG_FILES, resolveConfig } from '../config/find.js';

/**
 * `slipway check`: says whether a config file can be used, and opens nothing.
 * @throws ConfigError with every problem of the file, or of the users file that it names.
 */
export function checkCommand(): Command {
  return new Command('check')
    .description('check the config file and report every problem in it; nothing is opened')
    .option('-c, --config <file>', `config file (default: the first there is of ${CONFIG_FILES.join(', ')})`)
    .addHelpText('after', '\nExample:\n  $ slipway check -c slipway.yaml')
    .action(async (options: { config?: string }) => {
      const { config, file } = await resolveConfig(options.config, process.env);
      await readPolicy(config.access);
      process.stdout.write(`ok: ${file ?? 'there is no config file, the defaults apply'}\n`);
    });
}
