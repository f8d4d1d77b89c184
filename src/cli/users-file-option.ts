import type { Command } from 'commander';
import { CONFIG_FILES, resolveConfig } from '../config/find.js';
import { SlipwayError } from '../errors.js';

export interface UsersFileOptions {
  readonly config?: string;
  readonly file?: string;
}

export function withUsersFile(command: Command): Command {
  return command
    .option(
      '-c, --config <file>',
      `config that names the users file (default: the first there is of ${CONFIG_FILES.join(', ')})`,
    )
    .option('-f, --file <file>', 'the users file itself, whatever the config says');
}

/**
 * The users file that is meant.
 * @throws ConfigError as `resolveConfig`; SlipwayError `usage` when nothing names one
 */
export async function usersFile({ config, file }: UsersFileOptions): Promise<string> {
  if (file !== undefined) return file;
  const found = await resolveConfig(config, process.env);
  const { access } = found.config;
  const named = access ? access.users?.file : undefined;
  if (named) return named;
  const mend =
    "write \"access: { users: { file: users.yaml }, rules: [{ who: authenticated, emit: '#', subscribe: '#' }] }\"";
  const where = found.file ?? `${CONFIG_FILES[0]}, which does not exist yet`;
  throw new SlipwayError('usage', `which users file? ${mend} in ${where}, or name one with --file`);
}

/** What has to be done for a change to count. */
export const HOW_TO_RELOAD = 'A gateway that runs reads it on SIGHUP (systemctl reload slipway).';
