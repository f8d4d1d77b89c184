import { Command } from 'commander';
import { readPolicy } from '../access/policy.js';
import { checkBridgeFiles } from '../bridges/upstream-files.js';
import { resolveConfig } from '../config/find.js';
import { checkCertificates } from '../gateway/stream-listeners.js';
import { type ConfigFileOptions, configFile, withConfigFile } from './config-file.js';

/**
 * `slipway check [FILE]`: says whether a config file can be used, with the users, certificates and logins of bridges that it names, and opens nothing else.
 * @throws ConfigError with every problem of the file, or of the users file that it names; SlipwayError `tls_unusable` for a
 *   certificate or key that cannot be used; UpstreamError for a file of a bridge; `usage` when two configs are named
 */
export function checkCommand(): Command {
  return withConfigFile(new Command('check'))
    .description('check the config file and report every problem in it; nothing is opened')
    .addHelpText('after', '\nExample:\n  $ slipway check slipway.yaml')
    .action(async (named: string | undefined, options: ConfigFileOptions) => {
      const { config, file } = await resolveConfig(configFile(named, options), process.env);
      await readPolicy(config.access);
      const warnings = [
        ...(await checkCertificates(config.listen)),
        ...(await checkBridgeFiles(config.bridges)),
      ];
      for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
      process.stdout.write(`ok: ${file ?? 'there is no config file, the defaults apply'}\n`);
    });
}
