import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SOURCE = fileURLToPath(new URL('../src', import.meta.url));

/** What the files of each folder may import: the layers below theirs. What lies beside the folders, as the clock, all may. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  session: ['wire'],
  links: ['session', 'wire'],
  config: ['access', 'bridges', 'links', 'wire'],
  access: ['config', 'links', 'session', 'wire'],
  router: ['access', 'wire'],
  store: ['bridges', 'router', 'session', 'wire'],
  mqtt: ['router', 'session', 'wire'],
  bridges: ['config', 'links', 'mqtt', 'router', 'session', 'store', 'wire'],
  gateway: ['access', 'bridges', 'config', 'links', 'mqtt', 'router', 'session', 'store', 'wire'],
  client: ['config', 'links', 'router', 'session', 'wire'],
  simulator: [],
  doctor: ['access', 'bridges', 'client', 'config', 'gateway', 'links', 'store', 'wire'],
  cli: ['access', 'client', 'config', 'doctor', 'gateway', 'links', 'simulator', 'wire'],
};

/** The folder of a file of the source; empty of one that lies beside the folders. */
function folderOf(file: string): string {
  return /^([^/]+)\//.exec(file.replaceAll('\\', '/'))?.[1] ?? '';
}

/** Every import of one file by another, as `[from, to]`. */
function imports(): [string, string][] {
  return readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) =>
      [...readFileSync(join(SOURCE, file), 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(
        ([, to = '']): [string, string] => [file, relative(SOURCE, join(SOURCE, dirname(file), to))],
      ),
    );
}

it('each layer knows only those below it', () => {
  const all = imports();
  const used = new Set<string>();
  const wrong = all.filter(([file, imported]) => {
    const [from, to] = [folderOf(file), folderOf(imported)];
    if (from !== to && to !== '') used.add(`${from} ${to}`);
    // What lies beside the folders is used by all of them, or, as the index, offers them.
    if (from === '') return to !== '' && file !== 'index.ts';
    return to !== from && to !== '' && MAY_IMPORT[from]?.includes(to) !== true;
  });
  expect(wrong.map((pair) => pair.join(' imports ').replaceAll('\\', '/'))).toEqual([]);
  const unused = Object.entries(MAY_IMPORT).flatMap(([from, layers]) =>
    layers.map((to) => `${from} ${to}`).filter((pair) => !used.has(pair)),
  );
  expect(unused, 'allowed, and not used any more').toEqual([]);
});
