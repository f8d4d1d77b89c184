import { isScalar, type Node, Scalar } from 'yaml';
import { type SourceDocument, shown, walk } from './document.js';
import type { Problem } from './problems.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `$${` (an escape), `${NAME}`, `${NAME:-default}`, or a `${` that begins none of them. */
const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{[^}\n]{0,40}\}?/g;

/**
 * Puts variables of the environment into the text values of a document, in place. `${NAME}` is the variable,
 * `${NAME:-default}` falls back when it is unset or empty, `$${` stands for `${`. A plain value is then typed as if it had been
 * written so; one in quotes stays text. Returns a problem for each reference that cannot be filled, and the values that hold them.
 */
export function substitute(
  source: SourceDocument,
  env: Environment,
): { problems: Problem[]; unfilled: Set<Node> } {
  const problems: Problem[] = [];
  const unfilled = new Set<Node>();
  for (const { node, path } of walk(source.yaml.contents)) {
    if (!isScalar(node) || typeof node.value !== 'string' || !node.value.includes('${')) continue;
    const text = node.value.replace(REFERENCE, (reference, name?: string, fallback?: string) => {
      if (reference === '$${') return '${';
      const value = name !== undefined && Object.hasOwn(env, name) ? env[name] : undefined;
      if (value !== undefined && (value !== '' || fallback === undefined)) return value;
      if (fallback !== undefined) return fallback;
      const message =
        name === undefined
          ? `${reference} is not a reference to the environment: write \${NAME}, \${NAME:-default}, or $\${ for a plain "\${"`
          : `the environment has no ${name}: set it, or write \${${name}:-default}`;
      problems.push(source.problem(node.range?.[0] ?? 0, shown(path), message));
      unfilled.add(node);
      return reference;
    });
    node.value = node.type === Scalar.PLAIN && node.tag === undefined ? typed(source, text) : text;
    node.source = text;
  }
  return { problems, unfilled };
}

/** The value that YAML reads in a plain scalar: the first tag whose test it passes, as the parser goes about it. */
function typed(source: SourceDocument, text: string): unknown {
  for (const tag of source.yaml.schema.tags) {
    if (tag.default !== true || tag.collection !== undefined || tag.test?.test(text) !== true) continue;
    const value = tag.resolve(text, () => {}, source.yaml.options);
    return isScalar(value) ? value.value : value;
  }
  return text;
}
