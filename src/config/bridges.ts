import { z } from 'zod';
import { GATEWAY_NAME } from '../bridges/gateway-names.js';
import { covers } from '../bridges/patterns.js';
import { channelProblem, hasWildcard, isShared, patternProblem } from '../wire/channels.js';
import type { Levels } from '../wire/patterns.js';
import { mqttUpstream, natsUpstream } from './bridge-upstreams.js';
import { list, section } from './forms.js';
import { count, duration, size } from './quantities.js';
import { type ClashParams, noRepeats, textOf } from './rules.js';

const MANY_DAYS_MS = 3650 * 86_400_000;
const MANY = 1_000_000_000;
const MUCH = Number.MAX_SAFE_INTEGER;
/** As many as there are identifiers of MQTT packets. */
const MAX_IN_FLIGHT = 65_535;

const BRIDGE_NAME = /^[a-z0-9_-]{1,32}$/;

const isMapping = ({ value }: { value: unknown }) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const direction = z.enum(['out', 'in', 'both']);
const THEIRS = 'names that begin with "$" are the other side\'s own: write another';

/** Refuses a name or pattern that only the broker on the far side may use. */
function notTheirs(text: string, context: z.core.$RefinementCtx<string>): void {
  if (text.startsWith('$')) context.addIssue({ code: 'custom', message: THEIRS });
}

const rule = z
  .strictObject({
    pattern: textOf(patternProblem)
      .superRefine(notShared)
      .describe(
        'Pattern of the channels here. What comes in cannot be for $…; what goes out can be from there.',
      ),
    direction: direction.describe('out: to the broker; in: from it; both.'),
    qos: z
      .literal([0, 1, 2])
      .prefault(1)
      .describe('The highest QoS with which messages are carried; what was emitted with less keeps that.'),
    remote: textOf(patternProblem)
      .superRefine(notShared)
      .superRefine(notTheirs)
      .exactOptional()
      .describe('The pattern there, with the same wildcards in the same order; as here unless given.'),
  })
  .superRefine(fits, { when: isMapping })
  .transform((read) => ({ ...read, remote: read.remote ?? read.pattern }));

type RuleOutput = z.output<typeof rule>;

/** A rule, a bridge as far as they were read: anything in them may be wrong. */
interface WrittenRule {
  readonly pattern?: unknown;
  readonly direction?: unknown;
  readonly remote?: unknown;
}
interface WrittenBridge {
  readonly nats?: unknown;
  readonly mqtt?: unknown;
  readonly rules?: unknown;
  readonly presence?: unknown;
  readonly broadcast?: unknown;
}

function notShared(text: string, context: z.core.$RefinementCtx<string>): void {
  if (!isShared(text)) return;
  context.addIssue({
    code: 'custom',
    message: 'a bridge shares no subscription: leave "$share/<group>/" out',
  });
}

/** What a rule's settings say of each other. */
function fits({ pattern, direction: way, remote }: WrittenRule, context: z.core.$RefinementCtx): void {
  if (typeof pattern !== 'string') return;
  const problem = (key: string, message: string) =>
    context.addIssue({ code: 'custom', path: [key], message });
  if (pattern.startsWith('$') && !isShared(pattern)) {
    if (way === 'in' || way === 'both')
      problem('pattern', 'names that begin with "$" are the gateway\'s own: nothing else may emit on them');
    else if (remote === undefined)
      problem('remote', `is missing: ${pattern} has to be called something else there, as site1/stats`);
  }
  const asOnNats = (key: string, text: string): boolean => {
    const mend = wildcardMend(text);
    if (mend !== undefined) problem(key, mend);
    return mend !== undefined;
  };
  asOnNats('pattern', pattern);
  if (typeof remote !== 'string' || asOnNats('remote', remote)) return;
  if (wildcardsOf(remote) === wildcardsOf(pattern)) return;
  const here = wildcardsOf(pattern) || 'none';
  const there = wildcardsOf(remote) || 'none';
  const message = `needs the wildcards of the pattern in their order (${here}), so that each name has one there; it has ${there}`;
  problem('remote', message);
}

/** Who knows NATS writes `site.*.>`: here that is a name without any wildcard, which nothing would ever match. */
function wildcardMend(text: string): string | undefined {
  const levels = text.split(text.includes('/') ? '/' : '.');
  const meant = levels.map((level) => ({ '*': '+', '>': '#' })[level] ?? level);
  if (meant.every((level, index) => level === levels[index])) return undefined;
  return `the wildcards are + for one level and # for all below, with / between levels, for NATS, too: write ${JSON.stringify(meant.join('/'))}`;
}

function wildcardsOf(pattern: string): string {
  return pattern.split('/').filter(hasWildcard).join(' ');
}

/** Refuses rules that never count, because an earlier one has all their names. */
function eachIsUsed(): z.core.$ZodCheck<RuleOutput[]> {
  return z.superRefine<RuleOutput[]>(
    (rules, context) => {
      for (const [way, key] of [
        ['out', 'pattern'],
        ['in', 'remote'],
      ] as const) {
        const names = rules.map((each) => namesOf(each, way, key));
        for (const [index, own] of names.entries()) {
          const earlier = own && names.findIndex((other) => other !== undefined && covers(other, own));
          if (earlier === undefined || earlier >= index) continue;
          const params = { other: [earlier, key] } satisfies ClashParams;
          const message = `is never used on the way ${way}: put it before the rule that has all its names,`;
          context.addIssue({ code: 'custom', path: [index, key], message, params });
        }
      }
    },
    { when: ({ value }) => Array.isArray(value) },
  );
}

/** The names of a rule on the side where a message comes from, or undefined if it is not for that way. It may be wrong. */
function namesOf(read: WrittenRule, way: 'in' | 'out', key: 'pattern' | 'remote'): Levels | undefined {
  if (typeof read !== 'object' || read === null) return undefined;
  const text = read[key] ?? read.pattern;
  const isFor = read.direction === way || read.direction === 'both';
  return isFor && typeof text === 'string' && patternProblem(text) === undefined
    ? text.split('/')
    : undefined;
}

const remoteName = (description: string) =>
  textOf(channelProblem).superRefine(notTheirs).describe(description);

const presence = z.strictObject({
  direction: direction.describe(
    'out: says there which devices are here; in: hears which are elsewhere; both.',
  ),
  remote: remoteName('The channel there below which each gateway has a channel, the same for all gateways.'),
});

const broadcast = z.strictObject({
  direction: direction.describe(
    'out: what is broadcast here goes there; in: what comes from there is broadcast here; both.',
  ),
  remote: remoteName('The channel there, the same for all gateways.'),
});

const queue = section(
  'Messages of QoS 1 and 2 that wait until the broker has them; kept in the store, if there is one.',
  {
    messages: count(1, MANY).prefault(1_000_000).describe('How many.'),
    bytes: size(1024, MUCH).prefault('1 GiB').describe('How many bytes.'),
    age: duration(1000, MANY_DAYS_MS)
      .prefault('7d')
      .describe('What waited longer is dropped, counted and logged; 0 for no limit.'),
    when_full: z
      .enum(['refuse', 'drop_oldest'])
      .prefault('refuse')
      .describe(
        'refuse: an emit that the bridge should carry is refused (queue_full) for everyone. drop_oldest: the oldest that waits is dropped instead, and counted.',
      ),
  },
);

const bridge = z
  .strictObject({
    name: z
      .string()
      .regex(BRIDGE_NAME, { error: 'must be 1 to 32 of the characters a-z 0-9 _ -' })
      .describe('Name of the bridge in channels, logs and counters, and of what it keeps in the store.'),
    nats: natsUpstream.exactOptional().describe('A NATS server or cluster; either this or mqtt.'),
    mqtt: mqttUpstream.exactOptional().describe('An MQTT broker; either this or nats.'),
    rules: list('What is carried. Of the rules that match a name the first one counts.', rule, eachIsUsed()),
    presence: presence
      .exactOptional()
      .describe('Whether each gateway knows the devices of the others, on $slipway/fleet/devices/<device>.'),
    broadcast: broadcast.exactOptional().describe('Whether broadcasts reach the other gateways.'),
    queue,
    in_flight: count(1, MAX_IN_FLIGHT)
      .prefault(1000)
      .describe('Messages of QoS 1 and 2 that the broker may have unacknowledged.'),
  })
  .superRefine(oneUpstream, { when: isMapping })
  .superRefine(carriesSomething, { when: isMapping })
  .superRefine(streamsNotEverything);

type Bridge = z.output<typeof bridge>;

function oneUpstream({ nats, mqtt }: WrittenBridge, context: z.core.$RefinementCtx): void {
  if ((nats === undefined) !== (mqtt === undefined)) return;
  const message =
    nats === undefined ? 'needs nats or mqtt, to say where it leads' : 'has both nats and mqtt: keep one';
  context.addIssue({ code: 'custom', message });
}

function carriesSomething(
  { rules, presence: devices, broadcast: all }: WrittenBridge,
  context: z.core.$RefinementCtx,
): void {
  if (!Array.isArray(rules) || rules.length > 0 || devices !== undefined || all !== undefined) return;
  const message = "carries nothing: give it rules, as rules: [{ pattern: 'greenhouse/#', direction: out }]";
  context.addIssue({ code: 'custom', message });
}

/** A stream of NATS that captures all subjects would keep the traffic of NATS itself, if the server lets it be made. */
function streamsNotEverything({ nats, rules }: Bridge, context: z.core.$RefinementCtx): void {
  if (!nats) return;
  for (const [index, { remote, qos }] of rules.entries()) {
    if (qos === 0 || !/^(\+\/)*#$/.test(remote)) continue;
    const message =
      'needs a first level of its own, as "site1/#": JetStream would keep all that passes there; or write qos: 0';
    context.addIssue({ code: 'custom', path: ['rules', index, 'remote'], message });
  }
}

export const bridges = list(
  'Connections to MQTT brokers and NATS clusters, which carry channels there and back. config/BRIDGES.md explains them.',
  bridge,
  noRepeats((read: Bridge) => read.name, 'is also the name of', 'name'),
  noRepeats(({ mqtt }: Bridge) => mqtt?.client_id && `${mqtt.client_id} ${mqtt.url}`, 'has the client_id of'),
);

export const gateway = z
  .string()
  .regex(GATEWAY_NAME, { error: 'must be 1 to 63 of the characters A-Z a-z 0-9 _ -' })
  .exactOptional()
  .describe('The name of this gateway among all that bridges join; needed where there are bridges.');

/** Refuses bridges of a gateway that has no name. The config may be wrong elsewhere. */
export function nameForBridges(
  config: { readonly gateway?: unknown; readonly bridges?: unknown },
  context: z.core.$RefinementCtx,
): void {
  if (config.gateway !== undefined || !Array.isArray(config.bridges) || config.bridges.length === 0) return;
  const message =
    'is missing: bridges need a name for this gateway that no other has: write "gateway: site1"';
  context.addIssue({ code: 'custom', path: ['gateway'], message });
}
