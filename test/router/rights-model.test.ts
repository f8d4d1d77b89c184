import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Rights } from '../../src/access/rights.js';
import { Counters } from '../../src/counters.js';
import { Router } from '../../src/router/router.js';
import { filterOf } from '../../src/wire/channels.js';
import type { Qos } from '../../src/wire/messages.js';
import type { ReasonName } from '../../src/wire/reasons.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { asking, bytes, Inbox, plainlyMatches } from './inbox.js';

const LIMITS = {
  maxChannels: 4,
  maxSubscriptions: 1000,
  maxSubscriptionsPerSubscriber: 100,
  maxLastValues: 100,
  maxLastValueBytes: 10_000,
};
/** All the channels that there are: so that it can be said plainly what a pattern could match. */
const NAMES = ['a', 'b', 'a/b', 'a/b/c', 'a/', '/', 'b/c', '$s/a', '$s/b'];
const WILD = ['#', '+', '+/#', 'a/#', 'a/+', '+/b', '+/b/#', '+/+', '$s/#', '$s/+'];
const PATTERNS = [...NAMES, ...WILD];
const GROUPS = ['', '$share/g/', '$share/h/'];

const matchesAny = (patterns: readonly string[], name: string) =>
  patterns.some((pattern) => plainlyMatches(pattern, name));

/** What lists of patterns allow, by looking at every channel that there is. */
class PlainRights implements Rights {
  readonly emit: readonly string[];
  readonly receive: readonly string[];
  readonly mayBroadcast: boolean;

  constructor(emit: readonly string[], receive: readonly string[], mayBroadcast: boolean) {
    this.emit = emit;
    this.receive = receive;
    this.mayBroadcast = mayBroadcast;
  }

  mayEmit(name: string): boolean {
    return matchesAny(this.emit, name);
  }

  mayReceive(name: string): boolean {
    return matchesAny(this.receive, name);
  }

  maySubscribe(pattern: string): boolean {
    return NAMES.some((name) => plainlyMatches(pattern, name) && this.mayReceive(name));
  }
}

class Peer extends Inbox {
  rights: Rights | undefined;
  readonly ended = new Set<string>();

  unsubscribed(pattern: string): void {
    this.ended.add(pattern);
  }
}

/** Who may what, and hears what, by the letter of PROTOCOL.md §6.2 and the rules, with lists and no cleverness. */
class Model {
  readonly rights: (Rights | undefined)[] = [undefined, undefined, undefined];
  readonly subscriptions: Map<string, Qos>[] = [new Map(), new Map(), new Map()];
  readonly values = new Map<string, string>();

  mayHear(who: number, name: string): boolean {
    return this.rights[who]?.mayReceive(name) ?? true;
  }

  /** Patterns that are no member of a group's. */
  #own(who: number, name: string): Qos[] {
    const all = [...(this.subscriptions[who] as Map<string, Qos>)];
    return all.filter(([pattern]) => plainlyMatches(pattern, name)).map(([, qos]) => qos);
  }

  subscribe(who: number, pattern: string, qos: Qos): { refusal?: ReasonName; values: string[] } {
    const filter = filterOf(pattern);
    if (this.rights[who]?.maySubscribe(filter) === false) return { refusal: 'not_allowed', values: [] };
    this.subscriptions[who]?.set(pattern, qos);
    if (filter !== pattern) return { values: [] };
    const heard = [...this.values].filter(
      ([name]) => plainlyMatches(pattern, name) && this.mayHear(who, name),
    );
    return { values: heard.map(([name, text]) => `${name}=${text}`) };
  }

  /** Whom the rules keep from every channel of a subscription, that is over. Returns which. */
  change(who: number, rights: Rights | undefined): string[] {
    this.rights[who] = rights;
    const own = this.subscriptions[who] as Map<string, Qos>;
    const over = [...own.keys()].filter((pattern) => rights?.maySubscribe(filterOf(pattern)) === false);
    for (const pattern of over) own.delete(pattern);
    return over;
  }

  /** Who hears an emit because of subscriptions of its own; and by group, who may be the one that it goes to. */
  audience(name: string): { own: { who: number; qos: Qos }[]; groups: number[][] } {
    const peers = [0, 1, 2].filter((who) => this.mayHear(who, name));
    const own = peers.flatMap((who) => {
      const qos = this.#own(who, name);
      return qos.length > 0 ? [{ who, qos: Math.max(...qos) as Qos }] : [];
    });
    const shared = new Map<string, number[]>();
    for (const who of peers) {
      for (const pattern of this.subscriptions[who]?.keys() ?? []) {
        const filter = filterOf(pattern);
        if (filter === pattern || !plainlyMatches(filter, name)) continue;
        shared.set(pattern, [...(shared.get(pattern) ?? []), who]);
      }
    }
    return { own, groups: [...shared.values()] };
  }
}

const who = fc.nat(2);
const qos = fc.constantFrom<Qos[]>(0, 1, 2);
const pattern = fc
  .tuple(fc.constantFrom(...GROUPS), fc.constantFrom(...PATTERNS))
  .map(([group, filter]) => group + filter);
const rights = fc.option(
  fc
    .tuple(fc.subarray(PATTERNS, { maxLength: 3 }), fc.subarray(PATTERNS, { maxLength: 3 }), fc.boolean())
    .map(([emit, receive, broadcast]) => new PlainRights(emit, receive, broadcast)),
  { nil: undefined },
);
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('subscribe' as const), who, pattern, qos }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), who, pattern }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('change' as const), who, rights }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('emit' as const),
        who: fc.option(who, { nil: undefined }),
        name: fc.constantFrom(...NAMES),
        qos,
        retain: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('broadcast' as const), who }) },
  ),
  { maxLength: 120, size: 'max' },
);

function refusalOf(model: Model, step: { who: number | undefined; name: string }): ReasonName | undefined {
  if (step.who === undefined) return undefined;
  if (step.name.startsWith('$')) return 'not_allowed';
  return (model.rights[step.who]?.mayEmit(step.name) ?? true) ? undefined : 'not_allowed';
}

it('shows nobody more than the rules allow, and no less, whatever is subscribed to and when rules change', () => {
  fc.assert(
    fc.property(steps, (run) => {
      const router = new Router(LIMITS, new Counters(), new VirtualClock());
      const peers = [new Peer(), new Peer(), new Peer()] as const;
      for (const peer of peers) router.connect(peer);
      const model = new Model();
      const peer = (index: number) => peers[index as 0 | 1 | 2];
      const heard = () => peers.map((each) => each.read().map((text) => text.replace('!', '')));
      let serial = 0;

      for (const step of run) {
        switch (step.do) {
          case 'subscribe': {
            const wanted = model.subscribe(step.who, step.pattern, step.qos);
            expect(router.subscribe(peer(step.who), step.pattern, asking(step.qos))).toBe(wanted.refusal);
            const got = heard()[step.who]?.map((text) => text.replace(/@\d/, ''));
            expect(got?.toSorted()).toEqual(wanted.values.toSorted());
            break;
          }
          case 'unsubscribe':
            expect(router.unsubscribe(peer(step.who), step.pattern)).toBe(
              model.subscriptions[step.who]?.delete(step.pattern),
            );
            break;
          case 'change': {
            peer(step.who).ended.clear();
            peer(step.who).rights = step.rights;
            router.forgetRights(serial % 2 ? peer(step.who) : undefined);
            expect(peer(step.who).ended).toEqual(new Set(model.change(step.who, step.rights)));
            break;
          }
          case 'broadcast': {
            const may = model.rights[step.who]?.mayBroadcast ?? true;
            const outcome = router.broadcast(bytes('b'), { qos: 0, retain: false }, peer(step.who));
            expect(outcome).toBe(may ? undefined : 'not_allowed');
            expect(heard().map((all) => all.length)).toEqual(
              [0, 1, 2].map((each) => (may && each !== step.who ? 1 : 0)),
            );
            break;
          }
          case 'emit': {
            const text = `${serial}`;
            const wanted = refusalOf(model, step);
            const from = step.who === undefined ? undefined : peer(step.who);
            const { qos, retain } = step;
            expect(router.emit(step.name, bytes(text), { qos, retain }, from)).toBe(wanted);
            const got = heard().map((all) => all.map((taken) => Number(taken.at(-1)) as Qos));
            if (wanted !== undefined) {
              expect(got.flat()).toEqual([]);
              break;
            }
            if (retain) model.values.set(step.name, text);
            const { own, groups } = model.audience(step.name);
            for (const each of own) {
              const granted = Math.min(each.qos, qos) as Qos;
              const at = got[each.who]?.indexOf(granted) ?? -1;
              expect(at).toBeGreaterThanOrEqual(0);
              got[each.who]?.splice(at, 1);
            }
            // What is left is one for each group, each for one of its members.
            expect(got.flat()).toHaveLength(groups.length);
            for (const [index, left] of got.entries()) {
              expect(left.length).toBeLessThanOrEqual(groups.filter((group) => group.includes(index)).length);
            }
            break;
          }
        }
        serial += 1;
      }
    }),
    { numRuns: 300 },
  );
});
