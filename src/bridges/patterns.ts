import { isWildcard, type Levels } from '../wire/patterns.js';

/** The pattern that matches exactly the names that both match (PROTOCOL.md §6.2); undefined if there are none. Both must be valid. */
export function intersect(a: Levels, b: Levels): Levels | undefined {
  if (!canMeet(a[0], b[0])) return undefined;
  for (let i = 0; ; i++) {
    const one = a[i];
    const other = b[i];
    // What stands before is the same in both, or a wildcard in one: it was narrowed already.
    if (one === '#') return [...narrowed(a, b, i), ...b.slice(i)];
    if (other === '#') return [...narrowed(a, b, i), ...a.slice(i)];
    if (one === undefined || other === undefined) return one === other ? narrowed(a, b, i) : undefined;
    if (one !== '+' && other !== '+' && one !== other) return undefined;
  }
}

/** The first levels of two patterns that have no `#` there and can meet: of each pair the narrower one. */
function narrowed(a: Levels, b: Levels, depth: number): string[] {
  return a.slice(0, depth).map((level, i) => (level === '+' ? (b[i] ?? level) : level));
}

/** Whether `wide` matches every name that `narrow` does (PROTOCOL.md §6.2). Both must be valid. */
export function covers(wide: Levels, narrow: Levels): boolean {
  if (isWildcard(wide[0]) && narrow[0]?.startsWith('$')) return false;
  for (let i = 0; ; i++) {
    const level = wide[i];
    const covered = narrow[i];
    if (level === '#') return true;
    if (level === undefined || covered === undefined) return level === covered;
    // Every name has a first level: "+/#" is "#".
    if (covered === '#') return i === 0 && level === '+' && wide[1] === '#';
    if (level !== '+' && level !== covered) return false;
  }
}

/**
 * The narrowest pattern that covers both; undefined if there is none, for no wildcard covers a name that begins with `$`. Both must be
 * valid.
 */
export function join(a: Levels, b: Levels): Levels | undefined {
  const isOwn = a[0]?.startsWith('$') || b[0]?.startsWith('$');
  if (isOwn && a[0] !== b[0]) return undefined;
  const joined: string[] = [];
  for (let i = 0; ; i++) {
    const one = a[i];
    const other = b[i];
    if (one === undefined && other === undefined) return joined;
    if (one === undefined || other === undefined || one === '#' || other === '#') {
      // Every name has a first level: "+/#" is "#".
      return joined.length === 1 && joined[0] === '+' ? ['#'] : [...joined, '#'];
    }
    joined.push(one === other ? one : '+');
  }
}

/** Whether names could begin with both of these levels of patterns. */
function canMeet(a: string | undefined, b: string | undefined): boolean {
  return !(isWildcard(a) && b?.startsWith('$')) && !(isWildcard(b) && a?.startsWith('$'));
}
