const SHORTEST_PART = 4;

/**
 * The candidate that was most likely meant by a mistyped word, or undefined when none is near. Case, `_` and `-` do not
 * count, so `maxConnections` finds `max_connections`; who writes `password` where files have the secrets meant
 * `password_file`, and who writes `user` where there is only one like it, `username`.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const typed = plain(word);
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const target = plain(candidate);
    const allowed = Math.max(1, Math.floor(Math.min(typed.length, target.length) / 3));
    // Words so different in length are never near; a huge key is not worth comparing.
    if (Math.abs(typed.length - target.length) > allowed) continue;
    const distance = editDistance(typed, target);
    if (distance <= allowed && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return (
    best ?? candidates.find((candidate) => candidate === `${word}_file`) ?? longerOrShorter(typed, candidates)
  );
}

/** The only candidate that begins or ends with the word, or the other way round. Short words are part of too many. */
function longerOrShorter(typed: string, candidates: readonly string[]): string | undefined {
  if (!/^\w+$/.test(typed)) return undefined;
  const isPart = (part: string, whole: string) =>
    part.length >= SHORTEST_PART && (whole.startsWith(part) || whole.endsWith(part));
  const found = candidates.filter((candidate) => {
    const target = plain(candidate);
    return isPart(typed, target) || isPart(target, typed);
  });
  return found.length === 1 ? found[0] : undefined;
}

/** ` (did you mean "x"?)`, or nothing. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const meant = nearest(word, candidates);
  return meant === undefined ? '' : ` (did you mean "${meant}"?)`;
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[_-]/g, '');
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, at(beforeLast, j - 2) + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
