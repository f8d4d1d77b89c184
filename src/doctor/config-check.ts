import { resolveConfig } from '../config/find.js';
import { defaultConfig, type SourcedConfig } from '../config/load.js';
import { ConfigError } from '../config/problems.js';
import type { Config } from '../config/schema.js';
import { type Finding, Findings } from './finding.js';
import type { Host } from './host.js';
import { checkNamedFiles } from './named-files.js';

export interface CheckedConfig {
  /** With one that cannot be used, the rest is looked at as if there were none. */
  readonly config: Config;
  readonly file: string | undefined;
  readonly usable: boolean;
  readonly findings: readonly Finding[];
}

/** Reads the config. */
export async function checkConfig(file: string | undefined, host: Host): Promise<CheckedConfig> {
  const findings = new Findings('config', 'config');
  try {
    const read = await resolveConfig(file, host.env);
    const text = read.file ?? 'there is no config file: the defaults apply';
    return { ...read, usable: true, findings: [findings.ok(text), ...(await filesOf(read))] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.message.split('\n').map((problem) => findings.problem({ problem }));
    return { config: defaultConfig(), file, usable: false, findings: problems };
  }
}

/** What is wrong with the files that it names. */
async function filesOf({ config, nameOf }: SourcedConfig): Promise<Finding[]> {
  return (await checkNamedFiles(config, nameOf)).flatMap(({ about, found }) => {
    const findings = new Findings('config', about);
    return [...found.problems, ...found.warnings].map((problem) => findings.problem({ problem }));
  });
}
