import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isAlias, isMap, isScalar } from 'yaml';
import { reasonOf } from '../errors.js';
import { isMergeKey, keyName, type Path, SourceDocument, shown, walk } from './document.js';
import { type Environment, substitute } from './env.js';
import { messageOf, problemsOf } from './explain.js';
import { ConfigError, type Problem, placed } from './problems.js';
import {
  type Config,
  configSchema,
  type MqttUpstreamConfig,
  type NatsConfig,
  type TlsConfig,
} from './schema.js';

const READ_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file: a part of its path is not a directory',
  EACCES: 'permission denied: it must be readable by the user that runs slipway',
  EISDIR: 'is a directory, not a config file',
};

/** What a message about the setting at a path begins with: `FILE:LINE:COLUMN: key`. */
export type SettingName = (path: Path) => string;

export interface SourcedConfig {
  readonly config: Config;
  /** For what turns out later to be wrong with a setting. */
  readonly nameOf: SettingName;
}

/**
 * Reads and checks a config file. `env` fills in `${NAME}`. Relative paths in it start at its folder.
 * @throws ConfigError with every problem that was found, or the one that kept the file from being read.
 */
export async function loadConfig(file: string, env: Environment): Promise<Config> {
  return (await readConfig(file, env)).config;
}

/** As `loadConfig`, and remembers where the settings stand. */
export async function readConfig(file: string, env: Environment): Promise<SourcedConfig> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    const message = READ_PROBLEMS[code] ?? `cannot be read: ${reasonOf(cause)}`;
    throw new ConfigError(file, [{ key: '', message }], { cause });
  }
  const { config, nameOf } = parseSource(decode(file, bytes), file, env);
  return { config: withFullPaths(config, dirname(file)), nameOf };
}

function withFullPaths(config: Config, folder: string): Config {
  const { store, listen, access, bridges } = config;
  const full = (path: string) => resolve(folder, path);
  const secured = <Entry extends { tls: TlsConfig | false }>(entry: Entry): Entry => ({
    ...entry,
    tls: entry.tls && mapValues(entry.tls, full),
  });
  return {
    ...config,
    listen: {
      ...listen,
      tcp: listen.tcp.map(secured),
      mqtt: listen.mqtt.map(secured),
      ws: listen.ws.map(secured),
    },
    store: store && { ...store, path: full(store.path) },
    access: access && { ...access, ...(access.users && { users: { file: full(access.users.file) } }) },
    bridges: bridges.map(({ nats, mqtt, ...bridge }) => ({
      ...bridge,
      ...(nats && { nats: withFullFiles(nats, full) }),
      ...(mqtt && { mqtt: withFullFiles(mqtt, full) }),
    })),
  };
}

/** Settings of a bridge that name files. */
const BRIDGE_FILES = ['credentials', 'password_file', 'token_file', 'ca', 'cert', 'key'] as const;

function withFullFiles<Upstream extends NatsConfig | MqttUpstreamConfig>(
  upstream: Upstream,
  full: (path: string) => string,
): Upstream {
  const changed: Partial<Record<string, string>> = {};
  const named: Partial<Record<string, unknown>> = upstream;
  for (const key of BRIDGE_FILES) {
    const path = named[key];
    if (typeof path === 'string') changed[key] = full(path);
  }
  return { ...upstream, ...changed };
}

function mapValues<Values extends Record<string, string>>(
  values: Values,
  change: (value: string) => string,
): Values {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)])) as Values;
}

/**
 * Checks the text of a config; `fileName` is for messages only.
 * @throws ConfigError with every problem that was found.
 */
export function parseConfig(text: string, fileName: string, env: Environment): Config {
  return parseSource(text, fileName, env).config;
}

function parseSource(text: string, fileName: string, env: Environment): SourcedConfig {
  const source = new SourceDocument(text);
  const repeated = repeatedKeys(source);
  const unusable = [...source.syntaxProblems(), ...aliasProblems(source)];
  // What is left of broken YAML is guesswork: to check it would only bury the cause.
  if (unusable.length > 0) throw new ConfigError(fileName, [...unusable, ...repeated]);

  const references = substitute(source, env);
  const result = configSchema.safeParse(valuesOf(source, fileName), { error: messageOf(source) });
  const wrong = result.success ? [] : problemsOf(source, result.error.issues, references.unfilled);
  const problems = [...repeated, ...references.problems, ...wrong];
  if (!result.success || problems.length > 0) throw new ConfigError(fileName, problems);
  const nameOf = (path: Path) => {
    const { offset, key } = source.place(path);
    return placed(fileName, source.problem(offset, key, ''));
  };
  return { config: result.data, nameOf };
}

/** The config of a gateway that was given none: TCP and UDP on this machine only. */
export function defaultConfig(): Config {
  return configSchema.parse({ version: 1 });
}

function decode(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(file, [{ key: '', message: 'is not UTF-8 text: save it as UTF-8' }], { cause });
  }
}

/** An empty file is an empty mapping, of which the keys that are missing are reported. */
function valuesOf(source: SourceDocument, fileName: string): unknown {
  try {
    return source.values() ?? {};
  } catch (cause) {
    throw new ConfigError(fileName, [{ key: '', message: `not valid YAML: ${reasonOf(cause)}` }], { cause });
  }
}

/** Keys that a mapping has twice, each with the place of the first. */
export function repeatedKeys(source: SourceDocument): Problem[] {
  const problems: Problem[] = [];
  for (const { node, path } of walk(source.yaml.contents)) {
    if (!isMap(node)) continue;
    const first = new Map<string, number>();
    for (const pair of node.items) {
      if (isMergeKey(pair) || !isScalar(pair.key)) continue;
      const name = keyName(pair);
      const offset = pair.key.range?.[0] ?? 0;
      const earlier = first.get(name);
      if (earlier === undefined) first.set(name, offset);
      else {
        const message = `is given twice: the first is on line ${source.lineOf(earlier)}`;
        problems.push(source.problem(offset, shown([...path, name]), message));
      }
    }
  }
  return problems;
}

function aliasProblems(source: SourceDocument): Problem[] {
  const problems: Problem[] = [];
  for (const { node, path } of walk(source.yaml.contents)) {
    if (!isAlias(node) || node.resolve(source.yaml) !== undefined) continue;
    const message = `*${node.source} names nothing: no anchor &${node.source} stands before it`;
    problems.push(source.problem(node.range?.[0] ?? 0, shown(path), message));
  }
  return problems;
}
