import { stat } from 'node:fs/promises';
import { shown } from './document.js';
import type { Environment } from './env.js';
import { defaultConfig, readConfig, type SourcedConfig } from './load.js';

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
): Promise<SourcedConfig & { readonly file: string | undefined }> {
  const found = file ?? (await findConfig());
  if (found === undefined) return { config: defaultConfig(), nameOf: shown, file: undefined };
  return { ...(await readConfig(found, env)), file: found };
}
