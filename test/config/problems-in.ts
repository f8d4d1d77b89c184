import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problems.js';

/** The lines of the report on a config, without the file's name; none when it is valid. */
export function problemsIn(text: string, env: Record<string, string> = {}): string[] {
  try {
    parseConfig(text, 'FILE', env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n').map((line) => line.replace(/^FILE:/, ''));
  }
}
