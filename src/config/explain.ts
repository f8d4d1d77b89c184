import { isScalar, type Node } from 'yaml';
import type { z } from 'zod';
import type { Path, SourceDocument } from './document.js';
import { knownKeys } from './json-schema.js';
import { suggestion } from './nearest.js';
import type { Problem } from './problems.js';
import { EMPTY } from './quantities.js';
import type { ClashParams } from './rules.js';

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

const EXPECTED: Readonly<Record<string, string>> = {
  array: 'a list (lines that begin with "- ")',
  boolean: 'true or false',
  object: 'a mapping ("key: value" lines)',
  string: 'text',
};

const COMMENT = 'is empty: what follows # is a comment, unless it is in quotes, "#"';

/** Words that YAML 1.1 read as true or false, and 1.2 reads as text. */
const SWITCHES: Readonly<Record<string, string>> = { off: 'false', no: 'false', on: 'true', yes: 'true' };

/** What zod says of an issue that has no message of its own in the schema. */
export function messageOf(source: SourceDocument): (issue: RawIssue) => string | undefined {
  return (issue) => {
    const { input } = issue;
    if (issue.code !== 'invalid_type' && issue.code !== 'invalid_value') return undefined;
    if (input === undefined) return `is missing${wordsFor(issue)}`;
    if (input === null) return source.isCutByComment(issue.path ?? []) ? COMMENT : EMPTY;
    if (issue.code === 'invalid_value') {
      const values = issue.values.map(String);
      return `must be one of ${values.join(', ')}; not ${JSON.stringify(input)}${meantBy(input, values)}`;
    }
    const written = writtenAs(source.place(issue.path ?? []).node);
    if (issue.expected === 'string' && written !== undefined) {
      return `must be text, and YAML reads this as a ${typeof input}: put it in quotes, "${written}"`;
    }
    const meant = typeof input === 'string' ? SWITCHES[input.toLowerCase()] : undefined;
    const mend = meant === undefined ? '' : `; YAML reads ${JSON.stringify(input)} as text: write ${meant}`;
    return `must be ${EXPECTED[issue.expected] ?? issue.expected}${mend || keysFor(issue)}`;
  };
}

/** What may be written where nothing is. */
function wordsFor(issue: RawIssue): string {
  return issue.code === 'invalid_value' ? `: write one of ${issue.values.map(String).join(', ')}` : '';
}

function meantBy(input: unknown, values: readonly string[]): string {
  if (typeof input !== 'string') return '';
  // Text that looks like the number that it should be.
  return values.includes(input) ? ': leave the quotes out' : suggestion(input, values);
}

/** Who writes `ws: 9001`, `mqtt: true` or `mqtt: true` `mqtt: mqtt://broker` has not seen which keys go there. */
function keysFor({ expected, input, path }: RawIssue & { readonly expected?: string }): string {
  const single = ['number', 'boolean', 'string'].includes(typeof input);
  const known = expected === 'object' && single && path?.length ? knownKeys(path) : []; // Not for a whole file.
  return known.length > 0 ? `; known here: ${known.join(', ')}` : '';
}

/** Problems with their positions, of what zod found. Values in `reported` are left out. */
export function problemsOf(
  source: SourceDocument,
  issues: readonly Issue[],
  reported: ReadonlySet<Node>,
): Problem[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((name) => unknownKey(source, issue.path, name));
    const { node, offset, key } = source.place(issue.path);
    if (node !== undefined && reported.has(node)) return [];
    const message = issue.code === 'custom' ? issue.message + otherPlace(source, issue) : issue.message;
    return [source.problem(offset, key, message)];
  });
}

function unknownKey(source: SourceDocument, parent: Path, name: string): Problem {
  const { key } = source.place(parent);
  const known = knownKeys(parent);
  const mend = suggestion(name, known) || ` (known here: ${known.join(', ')})`;
  return source.problem(source.keyOffset(parent, name), `${key && `${key}.`}${name}`, `unknown key${mend}`);
}

/** Names the earlier of two entries that clash; its path starts where the list is, as that of the issue does. */
function otherPlace(source: SourceDocument, issue: z.core.$ZodIssueCustom): string {
  const other = (issue.params as ClashParams | undefined)?.other;
  if (other === undefined) return '';
  const listPath = issue.path.slice(0, issue.path.length - other.length);
  const entry = source.place([...listPath, other[0]]).key;
  const { offset } = source.place([...listPath, ...other]);
  return ` ${entry} (line ${source.lineOf(offset)})`;
}

/** How a plain number or boolean stands in the text, before YAML took off its leading zeros. */
function writtenAs(node: Node | undefined): string | undefined {
  return isScalar(node) ? node.source : undefined;
}
