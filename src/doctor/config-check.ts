import { readPolicy } from '../access/policy.js';
import { checkBridgeFiles } from '../bridges/upstream-files.js';
import { resolveConfig } from '../config/find.js';
import { defaultConfig } from '../config/load.js';
import { ConfigError } from '../config/problems.js';
import type { Config } from '../config/schema.js';
import { SlipwayError } from '../errors.js';
import { checkCertificates } from '../gateway/stream-listeners.js';
import { type Finding, Findings } from './finding.js';
import type { Host } from './host.js';

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
    return { ...read, usable: true, findings: [findings.ok(text), ...(await filesOf(read.config))] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.message.split('\n').map((problem) => findings.problem({ problem }));
    return { config: defaultConfig(), file, usable: false, findings: problems };
  }
}

/** What is wrong with the files that it names: certificates, keys, users, logins of bridges. */
async function filesOf({ listen, access, bridges }: Config): Promise<Finding[]> {
  const users = () => readPolicy(access).then(() => []);
  return [
    ...(await problemsOf('tls', () => checkCertificates(listen))),
    ...(await problemsOf('users', users)),
    ...(await problemsOf('bridges', () => checkBridgeFiles(bridges))),
  ];
}

async function problemsOf(about: string, check: () => Promise<readonly string[]>): Promise<Finding[]> {
  const findings = new Findings('config', about);
  try {
    return (await check()).map((problem) => findings.problem({ problem }));
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    return error.message.split('\n').map((problem) => findings.problem({ problem }));
  }
}
