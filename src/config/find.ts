import { stat } from 'node:fs/promises';
import type { Environment } from './env.js';
import { defaultConfig, loadConfig } from './load.js';
import type { Config } from './schema.js';

/** Where a config is looked for when none is named, the first that exists. */
export const CONFIG_FILES: readonly string[] = ['./slipway.yaml', '/etc/slipway/slipway.yaml'];

/** The first of `files` that exists, or undefined. One that cannot be looked at counts as there, so that loading it says why. */
export async function findConfig(files: readonly string[] = CONFIG_FILES): Promise<string | undefined> {
  for (const file of files) {
    try {
      await stat(file);
      return file;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') return file;
    }
  }
  return undefined;
}

/**
 * The config of `file`, or, when none is named, of the first of CONFIG_FILES that exists, or else the defaults; and the file
 * that it came from.
 * @throws ConfigError as `loadConfig` does.
 */
export async function resolveConfig(
  file: string | undefined,
  env: Environment,
): Promise<{ config: Config; file: string | undefined }> {
  const found = file ?? (await findConfig());
  return { config: found === undefined ? defaultConfig() : await loadConfig(found, env), file: found };
}
