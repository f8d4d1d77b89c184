import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/schema.js';

/**
 * The settings of `now` that differ from those that the gateway was started with and that it cannot take on while it runs, as
 * `limits.backlog` or `serial`.
 */
export function needingRestart(started: Config, now: Config): string[] {
  return differences('', fixed(started), fixed(now));
}

/** Without what is taken on while it runs: rules, and which certificates a listener uses, though not whether it does. */
function fixed(config: Config): Record<string, unknown> {
  const { tcp, mqtt, ws } = config.listen;
  const fixedEntry = <Entry extends { tls: unknown }>(entry: Entry) => ({
    ...entry,
    tls: Boolean(entry.tls),
  });
  return {
    ...config,
    access: undefined,
    listen: {
      ...config.listen,
      tcp: tcp.map(fixedEntry),
      mqtt: mqtt.map(fixedEntry),
      ws: ws.map(fixedEntry),
    },
  };
}

function differences(path: string, before: unknown, after: unknown): string[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isSection(before) || !isSection(after)) return [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    differences(path === '' ? key : `${path}.${key}`, before[key], after[key]),
  );
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
