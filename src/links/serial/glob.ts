import { readdir, stat } from 'node:fs/promises';
import { join, parse, sep } from 'node:path';

/** Whether `path` has a wildcard: `*`, `?` or `[…]`. */
export function isGlob(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * The existing paths that an absolute `pattern` matches, sorted. `*` and `?` stand for any characters of one name but a leading
 * dot, `[…]` for one of a set, `[!…]` for one outside it. (Node has a glob of its own only from version 22 on.)
 */
export async function expandGlob(pattern: string): Promise<string[]> {
  const { root } = parse(pattern);
  let found = [root];
  for (const name of pattern.slice(root.length).split(sep)) {
    if (name === '') continue;
    const matches = await Promise.all(found.map((folder) => namesIn(folder, name)));
    found = matches.flat();
  }
  return found.sort();
}

async function namesIn(folder: string, name: string): Promise<string[]> {
  if (!isGlob(name)) {
    const path = join(folder, name);
    return (await exists(path)) ? [path] : [];
  }
  const shape = nameShape(name);
  const names = await readdir(folder).catch(() => []);
  return names.filter((n) => shape.test(n)).map((n) => join(folder, n));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function nameShape(glob: string): RegExp {
  const source = glob.replace(/\[!?[^\]]+\]|[\\^$.*+?()[\]{}|]/g, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    if (part.length > 1) return part.replace(/\\/g, '\\\\').replace(/^\[!/, '[^');
    return `\\${part}`;
  });
  return new RegExp(glob.startsWith('.') ? `^${source}$` : `^(?!\\.)${source}$`, 's');
}
