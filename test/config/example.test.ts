import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { jsonSchema, knownKeys } from '../../src/config/json-schema.js';
import { defaultConfig, parseConfig } from '../../src/config/load.js';
import { problemsIn } from './problems-in.js';

const file = (name: string) => new URL(`../../config/${name}`, import.meta.url);

let example: string;
/** The example with its example settings in the place of the lines that they replace. */
let everything: string;

beforeAll(async () => {
  example = await readFile(file('slipway.example.yaml'), 'utf8');
  everything = example
    .replaceAll(
      /^ *(?:one_shot: false|tls: false|mqtt: false|ws: false|access: false|serial: \[\]|store: false|bridges: \[\])$/gm,
      '',
    )
    .replaceAll(/^( *)# {3}/gm, '$1');
});

describe('slipway.example.yaml', () => {
  it('is the defaults', () => {
    expect(parseConfig(example, 'FILE', {})).toEqual(defaultConfig());
  });

  it('names the schema for editors first', () => {
    expect(example).toMatch(/^# yaml-language-server: \$schema=slipway\.schema\.json\n/);
  });

  it('shows serial ports whose settings are the defaults where there are any', () => {
    const { listen, serial } = parseConfig(everything, 'FILE', {});
    const plain = parseConfig('version: 1\nserial: [{ name: a, path: /b }]', 'FILE', {}).serial[0];
    expect(serial[0]).toMatchObject({ baud: plain?.baud, dtr: plain?.dtr, low_latency: plain?.low_latency });
    expect(serial).toHaveLength(2);
    expect(listen.udp[0]?.one_shot).toMatchObject({ from: ['0.0.0.0/0', '::/0'] });
  });

  it('shows bridges whose settings are the defaults where there are any', () => {
    const { gateway, bridges } = parseConfig(everything, 'FILE', {});
    const plain = parseConfig(
      `version: 1
gateway: a
bridges:
  - { name: a, nats: { servers: nats://b }, rules: [{ pattern: a, direction: out }] }
  - { name: b, mqtt: { url: mqtt://b }, rules: [{ pattern: a, direction: out }] }`,
      'FILE',
      {},
    ).bridges;
    const [{ nats, queue, in_flight } = {}, { mqtt } = {}] = plain;
    const shown = bridges.filter(({ name }) => name === 'plant' || name === 'cloud');
    expect(shown).toMatchObject([
      { nats: { ...nats, servers: ['nats://n1:4222', 'nats://n2:4222'] }, queue, in_flight },
      { mqtt: { ...mqtt, url: 'mqtts://broker.example:8883', client_id: `slipway-${gateway}-cloud` } },
    ]);
    expect(bridges[0]?.rules[0]?.qos).toBe(plain[0]?.rules[0]?.qos);
  });

  it('names every key of the schema', () => {
    const written = new Set(keysOf(everything).map(({ path }) => path));
    const known = [...everyKey([])];
    expect(known.length).toBeGreaterThan(40);
    expect(known.filter((path) => !written.has(path))).toEqual([]);
  });

  it('reports a typo in any of its keys, on its line, and what was meant', () => {
    const lines = everything.split('\n');
    for (const { path, key, line, column } of keysOf(everything)) {
      const typo = lines.with(line - 1, (lines[line - 1] ?? '').replace(`${key}:`, `${key}${key.at(-1)}:`));
      const report = problemsIn(typo.join('\n'));
      const expected = new RegExp(
        `^${line}:${column}: ${path.replaceAll('[]', '\\[\\d\\]')}${key.at(-1)}: unknown key \\(did you mean "${key}"\\?\\)$`,
      );
      expect(report, `a typo in ${path}`).toContainEqual(expect.stringMatching(expected));
    }
  });
});

describe('slipway.schema.json', () => {
  it('is that of the code; `npm run generate` renews it', async () => {
    expect(JSON.parse(await readFile(file('slipway.schema.json'), 'utf8'))).toEqual(jsonSchema());
  });
});

/** Keys whose values are lists of mappings. */
const LISTS = ['serial', 'access.rules', 'bridges', 'bridges[].rules'];

/** Paths of all keys of the schema, those of list entries as `serial[].name`. */
function* everyKey(path: (string | number)[]): Generator<string> {
  for (const key of knownKeys(path)) {
    const shown = [...path, key].join('.').replaceAll('.0', '[]');
    yield shown;
    yield* everyKey([...path, key]);
    if (LISTS.includes(shown)) yield* everyKey([...path, key, 0]);
  }
}

/** The keys of a YAML text whose mappings are nested by indentation alone, with their places. */
function keysOf(text: string): { path: string; key: string; line: number; column: number }[] {
  const parents: { column: number; path: string }[] = [];
  return text.split('\n').flatMap((source, index) => {
    const [, before, key] = /^( *(?:- )?)([a-z_]+):/.exec(source) ?? [];
    if (before === undefined || key === undefined) return [];
    const column = before.length + 1;
    while ((parents.at(-1)?.column ?? 0) >= column) parents.pop();
    const parent = parents.at(-1)?.path;
    const path = parent === undefined ? key : `${parent}${LISTS.includes(parent ?? '') ? '[]' : ''}.${key}`;
    parents.push({ column, path });
    return [{ path, key, line: index + 1, column }];
  });
}
