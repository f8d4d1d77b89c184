import { hasWildcard } from '../wire/channels.js';
import type { Qos } from '../wire/messages.js';
import { DisjointPatterns } from './disjoint-patterns.js';
import type { NameRule } from './names.js';
import type { Interest } from './upstream.js';

/** With more patterns than this, the rule that asks for the most asks for all that it has: a broker has to match each. */
const MAX_PATTERNS = 1000;
/** It does until there would be no more than this: else each that comes and goes would change a thousand. */
const FEW_PATTERNS = MAX_PATTERNS / 2;
/**
 * What is deeper or longer asks for all of its rule: peers choose that, and brokers take less than they may. A server of NATS cuts off whoever
 * sends a line of more than 4,096 bytes, in which each of these may be three.
 */
const MAX_LEVELS = 64;
const MAX_BYTES = 1024;

/** A rule by which messages come in. */
export interface InRule {
  readonly name: NameRule;
  readonly qos: Qos;
}

/** What peers want by one rule. */
class WantedByRule {
  readonly rule: InRule;
  /** By the pattern there. */
  readonly patterns = new Map<string, Wanted>();
  /** There were more patterns than are asked for. */
  tooMany = false;

  constructor(rule: InRule) {
    this.rule = rule;
  }

  get all(): string {
    return this.rule.name.remote;
  }

  /** All of it is asked for, whatever else is wanted. */
  get whole(): boolean {
    return this.tooMany || this.patterns.has(this.all);
  }
}

interface Wanted {
  /** By how many patterns here. */
  times: number;
  /** When it came, it made a difference: without it other patterns may be asked for. */
  counts: boolean;
}

/**
 * What a gateway asks its upstream for: as much of what its peers are subscribed to as the rules let in. No name is matched by two of the
 * patterns, so that no broker sends a message twice.
 */
export class Interests {
  readonly #rules: readonly WantedByRule[];
  readonly #fixed: readonly Interest[];
  #patterns = new DisjointPatterns<Qos>();
  #current: readonly Interest[] | undefined;
  #stale = true;

  /** `fixed`: what is asked for whatever peers are subscribed to; no pattern in it begins with `$`. */
  constructor(rules: readonly InRule[], fixed: readonly Interest[] = []) {
    this.#rules = rules.map((rule) => new WantedByRule(rule));
    this.#fixed = fixed;
  }

  /** Some peer is subscribed to that pattern; to be called once of each. */
  added(pattern: string): void {
    for (const wanted of this.#rules) {
      const remote = within(wanted.rule.name, pattern);
      if (remote === undefined) continue;
      const known = wanted.patterns.get(remote);
      if (known !== undefined) {
        known.times += 1;
        continue;
      }
      const entry = { times: 1, counts: false };
      wanted.patterns.set(remote, entry);
      // It may cover many.
      if (wanted.tooMany && hasWildcard(remote)) this.#stale = true;
      if (!this.#stale) this.#ask(wanted, remote, entry);
    }
  }

  /** Nobody is subscribed to that pattern any more; to be called once after each `added`. */
  removed(pattern: string): void {
    for (const wanted of this.#rules) {
      const remote = within(wanted.rule.name, pattern);
      const entry = remote === undefined ? undefined : wanted.patterns.get(remote);
      if (remote === undefined || entry === undefined) continue;
      entry.times -= 1;
      if (entry.times > 0) continue;
      const wasWhole = wanted.whole;
      wanted.patterns.delete(remote);
      if (wanted.tooMany) this.#stale ||= wanted.patterns.size <= FEW_PATTERNS;
      else this.#stale ||= wasWhole ? !wanted.whole : entry.counts;
    }
  }

  /** All that is asked for. The same array as before while nothing has changed. */
  current(): readonly Interest[] {
    if (this.#stale) this.#gather();
    this.#current ??= [...this.#patterns].map(({ pattern, rank }) => ({ pattern, qos: rank }));
    return this.#current;
  }

  #gather(): void {
    this.#stale = false;
    this.#current = undefined;
    this.#patterns = new DisjointPatterns();
    for (const { pattern, qos } of this.#fixed) this.#patterns.add(pattern.split('/'), qos);
    const reduced = this.#rules.filter(({ tooMany }) => tooMany);
    for (const wanted of this.#rules) if (!wanted.tooMany) this.#askAll(wanted);
    for (const wanted of reduced) {
      wanted.tooMany = false;
      this.#askAll(wanted, FEW_PATTERNS);
    }
  }

  #askAll(wanted: WantedByRule, most = MAX_PATTERNS): void {
    const all = wanted.patterns.get(wanted.all);
    if (all) this.#ask(wanted, wanted.all, all);
    // The wide ones first: what they cover takes next to no time.
    for (const wide of [true, false]) {
      for (const [remote, entry] of wanted.patterns) {
        if (wanted.whole) return;
        if (hasWildcard(remote) === wide) this.#ask(wanted, remote, entry);
        if (this.#patterns.size > most) this.#askForWhole(wanted);
      }
    }
  }

  #ask(wanted: WantedByRule, remote: string, entry: Wanted): void {
    entry.counts = (remote === wanted.all || !wanted.whole) && this.#add(remote, wanted.rule.qos);
    while (this.#patterns.size > MAX_PATTERNS) {
      const largest = this.#largest();
      if (largest === undefined) return;
      this.#askForWhole(largest);
    }
  }

  #askForWhole(wanted: WantedByRule): void {
    wanted.tooMany = true;
    this.#add(wanted.all, wanted.rule.qos);
  }

  #add(pattern: string, qos: Qos): boolean {
    const isNew = this.#patterns.add(pattern.split('/'), qos);
    if (isNew) this.#current = undefined;
    return isNew;
  }

  /** The rule that asks for the most patterns. */
  #largest(): WantedByRule | undefined {
    return this.#rules
      .filter(({ whole }) => !whole)
      .reduce<WantedByRule | undefined>(
        (most, each) => (most && most.patterns.size >= each.patterns.size ? most : each),
        undefined,
      );
  }
}

/** The pattern there for as much of the pattern here as the rule is for. */
function within(rule: NameRule, pattern: string): string | undefined {
  const remote = rule.patternToRemote(pattern);
  if (remote === undefined) return undefined;
  const isPlain =
    Buffer.byteLength(remote) <= MAX_BYTES && remote.split('/', MAX_LEVELS + 1).length <= MAX_LEVELS;
  return isPlain ? remote : rule.remote;
}
