import { Command } from 'commander';
import { resolveConfig } from '../config/find.js';
import { checkNamedFiles } from '../doctor/named-files.js';
import { SlipwayError } from '../errors.js';
import { type ConfigFileOptions, configFile, withConfigFile } from './config-file.js';

/**
 * `slipway check [FILE]`: says whether a config file can be used, with the users, certificates and logins of bridges that it names, and opens nothing else.
 * @throws ConfigError with every problem of the file; SlipwayError `config_invalid` with those of the files that it names, `usage` when
 *   two configs are named
 */
export function checkCommand(): Command {
  return withConfigFile(new Command('check'))
    .description('check the config file and report every problem in it; nothing is opened')
    .addHelpText('after', '\nExample:\n  $ slipway check slipway.yaml')
    .action(async (named: string | undefined, options: ConfigFileOptions) => {
      const { config, file, nameOf } = await resolveConfig(configFile(named, options), process.env);
      const checked = await checkNamedFiles(config, nameOf);
      const warnings = checked.flatMap(({ found }) => found.warnings);
      for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
      const problems = checked.flatMap(({ found }) => found.problems);
      if (problems.length > 0) throw new SlipwayError('config_invalid', problems.join('\n'));
      process.stdout.write(`ok: ${file ?? 'there is no config file, the defaults apply'}\n`);
    });
}
