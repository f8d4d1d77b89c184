import { describe, expect, test } from 'vitest';
import { configSchema } from '../../src/config/schema.js';
import type { EmitOptions } from '../../src/router/router.js';
import type { Qos } from '../../src/wire/messages.js';
import { asking, bytes, Inbox, plainlyMatches } from '../router/inbox.js';
import { BridgedGateway, type BridgeSetup } from '../support/bridged-gateway.js';
import { Random } from '../support/random.js';
import { forSeedsInTurn } from '../support/seeds.js';
import { SimulatedBroker } from '../support/simulated-broker/broker.js';
import { plainlyOverlap } from '../support/simulated-broker/contract.js';
import { advance } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';

type Rule = BridgeSetup['rules'][number] & { remote: string; qos: Qos };

const LEVELS = ['a', 'b', 'c', ''];
/** All names of up to three levels. */
const NAMES = LEVELS.flatMap((one) => [
  one,
  ...LEVELS.flatMap((two) => [`${one}/${two}`, ...LEVELS.map((three) => `${one}/${two}/${three}`)]),
]).filter((name) => name !== '');

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

function randomPattern(random: Random): string {
  const levels = Array.from({ length: 1 + random.below(3) }, () => pick(random, ['a', 'b', 'c', '+', '+']));
  if (random.chance(0.4)) levels[levels.length - 1] = '#';
  return levels.join('/');
}

/** A pattern with the same wildcards in the same order. */
function randomRemote(random: Random, pattern: string): string {
  if (random.chance(0.4)) return pattern;
  const literals = () => Array.from({ length: random.below(3) }, () => pick(random, ['a', 'b', 'c']));
  const levels = pattern.split('/').filter((level) => level === '+' || level === '#');
  const remote = levels.flatMap((level) => [...literals(), level]);
  if (remote.at(-1) !== '#') remote.push(...literals());
  return remote.join('/') || 'a';
}

/** Rules that the config takes. */
function randomRules(random: Random): Rule[] {
  const rules: Rule[] = [];
  for (let n = 1 + random.below(4); n > 0; n--) {
    const pattern = randomPattern(random);
    const remote = randomRemote(random, pattern);
    const direction = pick(random, ['in', 'out', 'both'] as const);
    const rule = { pattern, remote, qos: random.below(3) as Qos, direction };
    const mqtt = { url: 'mqtt://simulated' };
    const bridges = [{ name: 'up', mqtt, rules: [...rules, rule] }];
    if (configSchema.safeParse({ version: 1, gateway: 'site', bridges }).success) rules.push(rule);
  }
  return rules;
}

/** What a name of the one pattern is in the other, as plainly as it can be put. */
function plainlyMapped(name: string, from: string, to: string): string | undefined {
  if (!plainlyMatches(from, name)) return undefined;
  const levels = name.split('/');
  const patterns = from.split('/');
  const singles = patterns.flatMap((level, n) => (level === '+' ? [levels[n] as string] : []));
  const rest = patterns.at(-1) === '#' ? levels.slice(patterns.length - 1) : [];
  const mapped = to
    .split('/')
    .flatMap((level) => (level === '+' ? [singles.shift() as string] : level === '#' ? rest : [level]))
    .join('/');
  return mapped === '' ? undefined : mapped;
}

/** Where a message goes, and at which QoS, by the first of the rules that is for it. */
function way(
  rules: readonly Rule[],
  direction: 'in' | 'out',
  name: string,
): { name: string; qos: Qos } | undefined {
  for (const { pattern, remote, qos, direction: ways } of rules) {
    if (ways !== direction && ways !== 'both') continue;
    const [from, to] = direction === 'out' ? [pattern, remote] : [remote, pattern];
    const mapped = plainlyMapped(name, from, to);
    if (mapped !== undefined) return { name: mapped, qos };
  }
  return undefined;
}

const lowest = (...qos: Qos[]) => Math.min(...qos) as Qos;

describe('any rules', () => {
  test(
    'carry what they say, where they say, once: and upstream is asked for that only',
    () =>
      forSeedsInTurn(30, async (seed) => {
        const clock = new VirtualClock();
        const random = new Random(seed);
        const rules = randomRules(random);
        expect(rules).not.toEqual([]);
        const broker = new SimulatedBroker(clock, seed, { echo: random.chance(0.5) });
        const limits = { router: { maxLastValues: 10_000 } };
        const gateway = new BridgedGateway({ clock, seed, limits, bridges: [{ broker, rules }] });
        const { router } = gateway.simulation;
        const inboxes = Array.from({ length: 3 }, () => ({
          inbox: new Inbox(),
          wants: new Map<string, Qos>(),
        }));
        await advance(clock, 1000);

        for (let round = 0; round < 4; round++) {
          for (const { inbox, wants } of inboxes) {
            for (const pattern of [...wants.keys()].filter(() => random.chance(0.5))) {
              router.unsubscribe(inbox, pattern);
              wants.delete(pattern);
            }
            for (let n = random.below(3); n > 0; n--) {
              const [pattern, qos] = [randomPattern(random), random.below(3) as Qos];
              expect(router.subscribe(inbox, pattern, asking(qos, { noLastValue: true }))).toBeUndefined();
              wants.set(pattern, qos);
            }
          }
          if (random.chance(0.3)) broker.cut();
          // What nobody wants any more is asked for a while longer.
          await advance(clock, 20_000);
          // Last values that were there.
          for (const { inbox } of inboxes) inbox.read();

          const wanted = (channel: string) =>
            inboxes.some(({ wants }) =>
              [...wants.keys()].some((pattern) => plainlyMatches(pattern, channel)),
            );
          // What is joined so that no name is matched twice may be more than both.
          const inRules = rules.filter(({ direction }) => direction !== 'out');
          const remotes = inRules.map(({ remote }) => remote.split('/'));
          const joined = remotes.some((one, n) =>
            remotes.slice(n + 1).some((other) => plainlyOverlap(one, other)),
          );
          const interests = Object.keys(broker.interestsOf('site-up'));
          for (const name of NAMES) {
            const asked = interests.some((pattern) => plainlyMatches(pattern, name));
            const local = way(rules, 'in', name);
            if (local && wanted(local.name)) expect(`${name} ${asked}`).toBe(`${name} true`);
            const within = inRules.some(({ remote }) => plainlyMatches(remote, name));
            if (!within && !joined) expect(`${name} ${asked}`).toBe(`${name} false`);
          }
          if (inboxes.every(({ wants }) => wants.size === 0)) expect(interests).toEqual([]);

          for (const name of NAMES) {
            const qos = random.below(3) as Qos;
            const retain = random.chance(0.2);
            broker.publish(name, `in ${name}`, { qos, retain });
            await advance(clock, 10);
            const local = way(rules, 'in', name);
            for (const { inbox, wants } of inboxes) {
              const matching = [...wants].filter(([pattern]) => local && plainlyMatches(pattern, local.name));
              const most = Math.max(...matching.map(([, one]) => one)) as Qos;
              const expected =
                local && matching.length > 0
                  ? [`${local.name}=in ${name}@${lowest(qos, local.qos, most)}`]
                  : [];
              expect(inbox.read()).toEqual(expected);
            }
          }

          broker.taken.length = 0;
          for (const name of NAMES) {
            const options: EmitOptions = { qos: random.below(3) as Qos, retain: random.chance(0.2) };
            expect(router.emit(name, bytes(`out ${name}`), options)).toBeUndefined();
            await advance(clock, 10);
            const remote = way(rules, 'out', name);
            const taken = broker.taken
              .splice(0)
              .map((one) => ({ name: one.name, text: one.text, qos: one.qos, retain: one.retain }));
            const { retain } = options;
            const expected = remote && {
              name: remote.name,
              text: `out ${name}`,
              qos: lowest(options.qos, remote.qos),
              retain,
            };
            expect(taken).toEqual(expected ? [expected] : []);
          }
          for (const { inbox } of inboxes) inbox.read();
        }
        expect(broker.violations).toEqual([]);
      }),
    60_000,
  );
});
