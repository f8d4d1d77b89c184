import { resolveConfig } from '../config/find.js';
import { defaultConfig } from '../config/load.js';
import { ConfigError } from '../config/problems.js';
import type { Config } from '../config/schema.js';
import { type Finding, Findings } from './finding.js';
import type { Host } from './host.js';

/** Reads the config. With one that cannot be used, the rest is looked at as if there were none. */
export async function* checkConfig(
  file: string | undefined,
  host: Host,
): AsyncGenerator<Finding, { config: Config; file: string | undefined }> {
  const findings = new Findings('config', 'config');
  try {
    const read = await resolveConfig(file, host.env);
    yield findings.ok(read.file ?? 'there is no config file: the defaults apply');
    return read;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.message.split('\n')) yield findings.problem({ problem });
    return { config: defaultConfig(), file };
  }
}
