/** Whether every subject that `narrow` stands for is one that `wide` stands for: `>` is one token or more. */
export function covers(wide: string, narrow: string): boolean {
  const outer = wide.split('.');
  const inner = narrow.split('.');
  for (let i = 0; ; i++) {
    const token = outer[i];
    const other = inner[i];
    if (token === undefined || other === undefined) return token === other;
    if (token === '>') return true;
    if (other === '>' || (token !== '*' && token !== other)) return false;
  }
}

/** Whether there is a subject that both stand for. */
export function collide(one: string, other: string): boolean {
  const a = one.split('.');
  const b = other.split('.');
  for (let i = 0; ; i++) {
    const left = a[i];
    const right = b[i];
    if (left === undefined || right === undefined) return left === right;
    if (left === '>' || right === '>') return true;
    if (left !== '*' && right !== '*' && left !== right) return false;
  }
}

/**
 * How consumers filter a stream by these subjects: one list for each consumer. A server before 2.10 takes one filter a consumer:
 * there the second list is for those that are also the parents of others (`a` beside `a.>`), which no narrow filter takes together
 * with what is below them.
 */
export function filters(subjects: readonly string[], severalEach: boolean): string[][] {
  if (subjects.length <= 1 || severalEach) return subjects.length > 0 ? [widest(subjects)] : [];
  const all = new Set(subjects);
  const parents = widest(subjects.filter((subject) => all.has(`${subject}.>`)));
  const others = joined(subjects.filter((subject) => !parents.includes(subject)));
  const left = parents.filter((subject) => !covers(others, subject));
  return left.length > 0 ? [[others], [joined(left)]] : [[others]];
}

/** The narrowest subject with wildcards that stands for all of these; there must be one at least. */
function joined(subjects: readonly string[]): string {
  return subjects.reduce((one, other) => join(one.split('.'), other.split('.')));
}

function join(a: readonly string[], b: readonly string[]): string {
  const tokens: string[] = [];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const left = a[i];
    const right = b[i];
    if (left === undefined || right === undefined) {
      // The shorter one has ended: its last token, and what comes here, can only be told together.
      tokens.pop();
      return [...tokens, '>'].join('.');
    }
    if (left === '>' || right === '>') return [...tokens, '>'].join('.');
    tokens.push(left === right ? left : '*');
  }
  return tokens.join('.');
}

/** Fewer or wider ones that stand for all of these, no two for the same subject: as a stream wants those that it captures. */
export function disjoint(subjects: readonly string[]): string[] {
  const found: string[] = [];
  for (const subject of widest(subjects)) {
    const at = found.findIndex((each) => collide(each, subject));
    if (at < 0) found.push(subject);
    else
      return disjoint([
        ...subjects.filter((each) => each !== subject && each !== found[at]),
        joined([found[at] as string, subject]),
      ]);
  }
  return found;
}

/** Those that no other of them covers. */
function widest(subjects: readonly string[]): string[] {
  const distinct = [...new Set(subjects)];
  return distinct.filter((subject) => !distinct.some((other) => other !== subject && covers(other, subject)));
}

/** How many answers are remembered. */
const REMEMBERED = 10_000;

/** Tells which subjects a set stands for. Remembers its answers, since the same subjects come again and again. */
export class SubjectSet {
  readonly subjects: readonly string[];
  readonly #answers = new Map<string, boolean>();

  constructor(subjects: readonly string[]) {
    this.subjects = subjects;
  }

  has(subject: string): boolean {
    let answer = this.#answers.get(subject);
    if (answer === undefined) {
      answer = this.subjects.some((each) => covers(each, subject));
      if (this.#answers.size >= REMEMBERED) this.#answers.clear();
      this.#answers.set(subject, answer);
    }
    return answer;
  }
}
