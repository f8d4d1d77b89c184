import type { AccessConfig } from '../config/schema.js';
import { BROADCAST_CHANNEL } from '../wire/channels.js';
import { type Levels, matches, overlap } from '../wire/patterns.js';
import type { Principal } from './principal.js';
import type { Rights } from './rights.js';
import { parseSubject, type Subject } from './subject.js';

/** Names longer than this, in characters, are nobody's: client ids of MQTT can be long, and matching them takes time. */
const MAX_NAME = 255;
/** Sets of rules for which the rights are kept to be shared. */
const MAX_SHARED = 1000;

interface Rule {
  /** Its place among them. */
  readonly index: number;
  readonly who: readonly Subject[];
  readonly emit: readonly string[];
  readonly subscribe: readonly string[];
  readonly broadcast: boolean;
  /** Its patterns have %u or %d: no two principals share what it allows. */
  readonly personal: boolean;
}

/** The rules of the config: what each principal may do. */
export class Rules {
  readonly #rules: readonly Rule[];
  readonly #trustNames: boolean;
  /** By the rules that apply: very many boards have the same. */
  readonly #shared = new Map<string, Rights>();

  constructor({ rules, trust_names }: Pick<AccessConfig, 'rules' | 'trust_names'>) {
    this.#trustNames = trust_names;
    this.#rules = rules.map(({ who, emit = [], subscribe = [], broadcast }, index) => ({
      index,
      who: who.map((text) => parseSubject(text)).filter((subject) => subject !== undefined),
      emit,
      subscribe,
      broadcast,
      personal: [...emit, ...subscribe].some((pattern) => /%[ud]/.test(pattern)),
    }));
  }

  /** What the principal may do; undefined if that is nothing at all. */
  rightsOf(principal: Principal): Rights | undefined {
    const { user } = principal;
    const named = this.believes(principal) ? principal.device : undefined;
    const device = named !== undefined && named.length <= MAX_NAME ? named : undefined;
    const applying = this.#rules.filter(({ who }) => who.some((subject) => is(subject, principal, device)));
    if (applying.some(({ personal }) => personal)) return rightsBy(applying, user, device);
    const key = applying.map(({ index }) => index).join();
    const shared = this.#shared.get(key) ?? rightsBy(applying, user, device);
    if (shared && this.#shared.size < MAX_SHARED) this.#shared.set(key, shared);
    return shared;
  }

  /** Whether it is what it calls itself: over the network anyone could borrow a name that has no key. */
  believes({ key, from }: Principal): boolean {
    return key !== undefined || from !== 'network' || this.#trustNames;
  }
}

function is(subject: Subject, { user, key, from }: Principal, device: string | undefined): boolean {
  switch (subject.kind) {
    case 'anyone':
      return true;
    case 'authenticated':
      return user !== undefined || key !== undefined;
    case 'serial':
    case 'loopback':
      return from === subject.kind;
    case 'user':
      return user !== undefined && subject.name.test(user);
    case 'device':
      return device !== undefined && subject.name.test(device);
  }
}

function rightsBy(
  rules: readonly Rule[],
  user: string | undefined,
  device: string | undefined,
): Rights | undefined {
  const levels = (patterns: readonly string[]) =>
    patterns.flatMap((pattern) => {
      const own = personal(pattern, user, device);
      return own === undefined ? [] : [own.split('/')];
    });
  const emit = levels(rules.flatMap((rule) => rule.emit));
  const subscribe = levels(rules.flatMap((rule) => rule.subscribe));
  const mayBroadcast = rules.some(({ broadcast }) => broadcast);
  if (emit.length === 0 && subscribe.length === 0 && !mayBroadcast) return undefined;
  return new RightsByPatterns(emit, subscribe, mayBroadcast);
}

/** The pattern for that user and device; undefined where it names one that is not there, or whose name would mean more than itself. */
function personal(pattern: string, user: string | undefined, device: string | undefined): string | undefined {
  let fits = true;
  const own = pattern.replace(/%[ud]/g, (sign) => {
    const name = sign === '%u' ? user : device;
    fits &&= name !== undefined && isPlain(name);
    return name ?? '';
  });
  return fits ? own : undefined;
}

/** Whether the name stands for itself in a pattern: one level, no wildcard, none of the gateway's own. */
function isPlain(name: string): boolean {
  return name !== '' && name.length <= MAX_NAME && !name.startsWith('$') && !/[/+#\0]/.test(name);
}

class RightsByPatterns implements Rights {
  readonly mayBroadcast: boolean;
  readonly #emit: readonly Levels[];
  readonly #subscribe: readonly Levels[];

  constructor(emit: readonly Levels[], subscribe: readonly Levels[], mayBroadcast: boolean) {
    this.#emit = emit;
    this.#subscribe = subscribe;
    this.mayBroadcast = mayBroadcast;
  }

  equals(other: RightsByPatterns): boolean {
    return (
      this.mayBroadcast === other.mayBroadcast &&
      JSON.stringify(this.#emit) === JSON.stringify(other.#emit) &&
      JSON.stringify(this.#subscribe) === JSON.stringify(other.#subscribe)
    );
  }

  mayEmit(channelName: string): boolean {
    if (channelName === BROADCAST_CHANNEL) return this.mayBroadcast;
    if (channelName.startsWith('$')) return false;
    const levels = channelName.split('/');
    return this.#emit.some((pattern) => matches(pattern, levels));
  }

  maySubscribe(pattern: string): boolean {
    if (pattern === BROADCAST_CHANNEL) return true;
    const levels = pattern.split('/');
    return this.#subscribe.some((allowed) => overlap(allowed, levels));
  }

  mayReceive(channelName: string): boolean {
    if (channelName === BROADCAST_CHANNEL) return true;
    const levels = channelName.split('/');
    return this.#subscribe.some((pattern) => matches(pattern, levels));
  }
}

/** Whether the rights are known to be the same. */
export function sameRights(a: Rights | undefined, b: Rights | undefined): boolean {
  if (a === b) return true;
  return a instanceof RightsByPatterns && b instanceof RightsByPatterns && a.equals(b);
}

/** The rights of who has none. */
export const NO_RIGHTS: Rights = {
  mayBroadcast: false,
  mayEmit: () => false,
  maySubscribe: () => false,
  mayReceive: () => false,
};
