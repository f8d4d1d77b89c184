import { styleText } from 'node:util';
import type { Finding } from './finding.js';

const MARKS = { ok: 'ok', note: 'note', problem: 'PROBLEM' } as const;
const COLOURS = { ok: 'green', note: 'yellow', problem: 'red' } as const;
const MARK_WIDTH = Math.max(...Object.values(MARKS).map((mark) => mark.length));
/** Names are rarely longer; a longer one only moves its own line. */
const ABOUT_WIDTH = 14;

/** A finding as lines for people: what it is, and below it the mend. */
export function asText({ level, about, text, mend }: Finding): string {
  const mark = MARKS[level].padEnd(MARK_WIDTH);
  // Plain where the output is no terminal, or NO_COLOR is set.
  const lines = [`${styleText(COLOURS[level], mark)}  ${about.padEnd(ABOUT_WIDTH)}  ${text}`];
  if (mend !== undefined) lines.push(`${' '.repeat(MARK_WIDTH + ABOUT_WIDTH + 4)}→ ${mend}`);
  return lines.join('\n');
}

/** The last line. */
export function verdict(findings: readonly Finding[]): string {
  const problems = findings.filter(({ level }) => level === 'problem').length;
  if (problems === 0) return 'nothing is wrong';
  return problems === 1 ? '1 problem' : `${problems} problems`;
}
