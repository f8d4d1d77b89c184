import type { Command } from 'commander';
import { CONFIG_FILES } from '../config/find.js';
import { SlipwayError } from '../errors.js';

export interface ConfigFileOptions {
  readonly config?: string;
}

/** `-c FILE`, of commands that have other arguments. */
export function withConfigOption(command: Command): Command {
  return command.option(
    '-c, --config <file>',
    `config file (default: the first there is of ${CONFIG_FILES.join(', ')})`,
  );
}

/** `-c FILE` or plain `FILE`, of commands that are about nothing else. */
export function withConfigFile(command: Command): Command {
  return withConfigOption(command.argument('[file]', 'the config file, as with -c'));
}

/**
 * The config file that is meant; undefined when none is named.
 * @throws SlipwayError `usage` when two are
 */
export function configFile(file: string | undefined, { config }: ConfigFileOptions): string | undefined {
  if (file !== undefined && config !== undefined && file !== config)
    throw new SlipwayError('usage', `which config file? Both "${config}" and "${file}" are named`);
  return file ?? config;
}
