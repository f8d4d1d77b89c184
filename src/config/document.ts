import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import type { Problem } from './problems.js';

/** Where something stands in a document: keys and indexes from the top. */
export type Path = readonly PropertyKey[];

/** What stands at a path. */
export interface Place {
  /** The value, aliases followed; undefined when there is none. */
  readonly node: Node | undefined;
  /** Position in the text, in characters: of a plain value, else of its key; of the nearest thing that is there. */
  readonly offset: number;
  /** The path as people write it, `listen.tcp[1].port`. */
  readonly key: string;
}

/** What the parser says that tells a reader less than it could. */
const PLAINER: readonly (readonly [RegExp, string])[] = [
  [/flow-error-end/, 'a { or [ before this is not closed'],
  [
    /^Sequence item without - indicator/,
    'this line is indented like no line above it, and is no entry of a list ("- ")',
  ],
];

const FLOW_HINT = ` (between { } or [ ] write "\${NAME}", in quotes)`;

/** A YAML text whose values keep their positions. */
export class SourceDocument {
  readonly yaml: Document.Parsed;
  readonly #lines = new LineCounter();
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    this.yaml = parseDocument(text, {
      lineCounter: this.#lines,
      merge: true,
      prettyErrors: false,
      stringKeys: true,
      // Repeated keys are reported by `repeatedKeys`, with both places.
      uniqueKeys: false,
      logLevel: 'error',
    });
  }

  /** What makes the text no YAML, or YAML that cannot be relied on: the first problem of each line, the cause of the others. */
  syntaxProblems(): Problem[] {
    const byLine = new Map<number, Problem>();
    for (const { pos, message } of [...this.yaml.errors, ...this.yaml.warnings]) {
      const what = PLAINER.find(([theirs]) => theirs.test(message))?.[1] ?? lowerFirst(message);
      const line = this.lineOf(pos[0]);
      if (byLine.has(line)) continue;
      const inFlow = this.#text.split('\n')[line - 1]?.match(/[{[,].*[^"']\$\{/) ? FLOW_HINT : '';
      const hint = inFlow || (message.startsWith('Flow ') ? this.#commentHint(line) : '');
      byLine.set(line, this.problem(pos[0], '', `not valid YAML: ${what}${hint}`));
    }
    return [...byLine.values()];
  }

  /** Whether what should be the value at `path` stands behind a #, as in `pattern: #`. */
  isCutByComment(path: Path): boolean {
    return /^(?:[^\n:]*:)?[^\S\n]*#/.test(this.#text.slice(this.place(path).offset));
  }

  /** Where the { or [ that is not closed before `line` has a # behind it, which YAML takes for the beginning of a comment. */
  #commentHint(line: number): string {
    const before = this.#text.split('\n').slice(0, line - 1);
    const index = before.findLastIndex((text) => /[{[]/.test(text));
    const unquoted = before[index]?.replaceAll(/'[^']*'|"[^"]*"/g, '') ?? '';
    return /[{[][^}\]]*[\s,{[]#/.test(unquoted)
      ? ` (in line ${index + 1} what follows # is a comment, unless it is in quotes, "#")`
      : '';
  }

  /** The whole as plain values. Throws when an alias cannot be resolved. */
  values(): unknown {
    return this.yaml.toJS({ maxAliasCount: 100 });
  }

  problem(offset: number, key: string, message: string): Problem {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1), key, message };
  }

  lineOf(offset: number): number {
    return Math.max(this.#lines.linePos(offset).line, 1);
  }

  /** The place of `path`. A single entry stands for a list of one, so an index into it is the entry itself. */
  place(path: Path): Place {
    let node = this.#resolve(this.yaml.contents);
    let offset = node?.range?.[0] ?? 0;
    let key = '';
    for (const [depth, step] of path.entries()) {
      if (typeof step === 'number' && !isSeq(node)) continue;
      key += typeof step === 'number' ? `[${step}]` : `${key && '.'}${String(step)}`;
      const found = this.#child(node, step);
      if (found === undefined) return { node: undefined, offset, key: key + shown(path.slice(depth + 1)) };
      offset = found.offset;
      node = this.#resolve(found.value);
    }
    return { node, offset, key };
  }

  /** The position of the key `name` of the mapping at `path`. */
  keyOffset(path: Path, name: string): number {
    const place = this.place(path);
    const pair = isMap(place.node) ? this.#pair(place.node, name) : undefined;
    return (isScalar(pair?.key) ? pair.key.range?.[0] : undefined) ?? place.offset;
  }

  #child(parent: Node | undefined, step: PropertyKey): { value: unknown; offset: number } | undefined {
    if (isSeq(parent) && typeof step === 'number') {
      const value = parent.items[step] as Node | undefined;
      return value && { value, offset: value.range?.[0] ?? 0 };
    }
    const pair = isMap(parent) ? this.#pair(parent, String(step)) : undefined;
    if (pair === undefined) return undefined;
    const value = pair.value as Node | null;
    const plain = isAlias(value) || (isScalar(value) && value.value !== null);
    const marked = plain ? value : (pair.key as Node);
    return { value, offset: marked.range?.[0] ?? 0 };
  }

  /** The last pair of that name counts, as it does in `values()`; then those that are merged in (`<<`), the first before. */
  #pair(map: YAMLMap, name: string): Pair | undefined {
    const own = map.items.findLast((pair) => isScalar(pair.key) && pair.key.value === name);
    if (own !== undefined) return own;
    for (const pair of map.items) {
      if (!isMergeKey(pair)) continue;
      const merged = this.#resolve(pair.value);
      for (const source of isSeq(merged) ? merged.items : [merged]) {
        const from = this.#resolve(source);
        const found = isMap(from) ? this.#pair(from, name) : undefined;
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #resolve(node: unknown): Node | undefined {
    return isAlias(node) ? node.resolve(this.yaml) : ((node as Node | null | undefined) ?? undefined);
  }
}

/** Every mapping, list, alias and scalar under `node` that is not a key, with its path; aliases are not followed. */
export function* walk(node: unknown, path: Path = []): Generator<{ node: Node; path: Path }> {
  if (isMap(node)) {
    yield { node, path };
    for (const pair of node.items) yield* walk(pair.value, [...path, keyName(pair)]);
  } else if (isSeq(node)) {
    yield { node, path };
    for (const [index, item] of node.items.entries()) yield* walk(item, [...path, index]);
  } else if (isScalar(node) || isAlias(node)) {
    yield { node, path };
  }
}

/** A path as people write it. */
export function shown(path: Path): string {
  return path.reduce<string>(
    (text, step) => text + (typeof step === 'number' ? `[${step}]` : `${text && '.'}${String(step)}`),
    '',
  );
}

export function isMergeKey(pair: Pair): boolean {
  return isScalar(pair.key) && typeof pair.key.value === 'symbol';
}

export function keyName(pair: Pair): string {
  if (isMergeKey(pair)) return '<<';
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
