/** A pattern or a name by its levels. */
export type Levels = readonly string[];

/** Whether the pattern matches the name (PROTOCOL.md §6.2). Both must be valid. */
export function matches(pattern: Levels, name: Levels): boolean {
  if (isWildcard(pattern[0]) && name[0]?.startsWith('$')) return false;
  for (let i = 0; ; i++) {
    const level = pattern[i];
    if (level === '#') return true;
    if (level === undefined || name[i] === undefined) return level === name[i];
    if (level !== '+' && level !== name[i]) return false;
  }
}

/** Whether there could be a channel that both patterns match. */
export function overlap(a: Levels, b: Levels): boolean {
  if (isWildcard(a[0]) && b[0]?.startsWith('$')) return false;
  if (isWildcard(b[0]) && a[0]?.startsWith('$')) return false;
  for (let i = 0; ; i++) {
    const one = a[i];
    const other = b[i];
    // The parent's level included: where one ends, the # of the other matches as well.
    if (one === '#' || other === '#') return true;
    if (one === undefined || other === undefined) return one === other;
    if (one !== '+' && other !== '+' && one !== other) return false;
  }
}

export function isWildcard(level: string | undefined): boolean {
  return level === '+' || level === '#';
}
