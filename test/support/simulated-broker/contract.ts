import type { Interest, OutgoingMessage, QueuedMessage } from '../../../src/bridges/upstream.js';
import { hasExpired } from '../../../src/router/message.js';
import { MAX_NAME_BYTES } from '../../../src/router/names.js';
import { channelProblem, patternProblem } from '../../../src/wire/channels.js';

/** Where a record is to be published. */
interface Publishing {
  readonly open: boolean;
  readonly window: number;
  readonly unsettled: ReadonlySet<number>;
  /** Settled or refused in this process. */
  readonly done: ReadonlySet<number>;
  readonly lastRecord: number;
}

/** What is wrong with a message that leaves that gateway. */
export function messageProblems(message: OutgoingMessage, gateway: string, now: number): string[] {
  const { name, via, expiresAt } = message;
  const problems: string[] = [];
  const problem = channelProblem(name, MAX_NAME_BYTES) ?? reserved(name);
  if (problem !== undefined) problems.push(problem);
  if (via.at(-1) !== gateway || new Set(via).size < via.length)
    problems.push(`it went via ${via.join(', ') || 'nobody'}`);
  if (hasExpired({ expiresAt }, now)) problems.push('it has expired');
  return problems.map((what) => `${name}: ${what}`);
}

/** What is wrong with publishing that record now. */
export function recordProblems({ record, qos }: QueuedMessage, there: Publishing): string[] {
  const { open, window, unsettled, done, lastRecord } = there;
  const problems: string[] = [];
  if (!open) problems.push('when the connection was over');
  if (record <= lastRecord) problems.push(`after ${lastRecord}`);
  if (unsettled.size >= window) problems.push(`beyond the window of ${window}`);
  if (done.has(record)) problems.push('again after it was settled');
  if (Number(qos) === 0) problems.push('at QoS 0');
  return problems.map((what) => `record ${record} was published ${what}`);
}

export function interestProblems(interests: readonly Interest[]): string[] {
  const problems: string[] = [];
  for (const [index, { pattern }] of interests.entries()) {
    const problem = patternProblem(pattern, MAX_NAME_BYTES) ?? reserved(pattern);
    if (problem !== undefined) problems.push(`interest ${pattern}: ${problem}`);
    for (const other of interests.slice(index + 1))
      if (plainlyOverlap(pattern.split('/'), other.pattern.split('/')))
        problems.push(`the interests ${pattern} and ${other.pattern} overlap`);
  }
  return problems;
}

/** Whether there is a name that both patterns match, neither of which begins with `$`. */
export function plainlyOverlap(a: readonly string[], b: readonly string[]): boolean {
  if (a[0] === '#' || b[0] === '#') return true;
  if (a.length === 0 || b.length === 0) return a.length === b.length;
  if (a[0] !== b[0] && a[0] !== '+' && b[0] !== '+') return false;
  return plainlyOverlap(a.slice(1), b.slice(1));
}

function reserved(name: string): string | undefined {
  return name.startsWith('$') ? 'what begins with $ is not for bridges' : undefined;
}
