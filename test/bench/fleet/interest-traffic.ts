import { InterestWatch } from '../../../src/bridges/interest-watch.js';
import { Interests } from '../../../src/bridges/interests.js';
import { NameRule } from '../../../src/bridges/names.js';
import { Random } from '../../support/random.js';
import { VirtualClock } from '../../support/virtual-clock.js';

/** What the devices of one gateway are subscribed to, and how they come and go. */
export interface Scenario {
  readonly name: string;
  readonly rule: { readonly pattern: string; readonly remote: string };
  readonly devices: number;
  /** The pattern that a device is subscribed to. */
  readonly pattern: (device: number) => string;
  /** How often an hour a device goes and takes its subscription with it, on average; one whose session outlives its link does not. */
  readonly goes: number;
  /** How long it is away on average, ms. */
  readonly away: number;
}

/** What a gateway asks of its upstream. */
export interface InterestTraffic {
  /** Subscriptions of its devices that began or ended in the simulated time. */
  readonly local: number;
  /** SUBs and UNSUBs, or their like, that left meanwhile. */
  readonly upstream: number;
  /** Patterns that it asked for at the end, and at most. */
  readonly asked: number;
  readonly most: number;
  /** Time on a core for each local change, µs. */
  readonly cost: number;
}

const HOUR_MS = 3_600_000;
/** The devices come within so long when all begins. */
const START_MS = 60_000;

/** One gateway for an hour, after all its devices have come: with the parts that are in it. */
export function simulate({ rule, devices, pattern, goes, away }: Scenario, seed: number): InterestTraffic {
  const clock = new VirtualClock();
  const random = new Random(seed);
  const interests = new Interests([{ name: new NameRule(rule), qos: 1 }]);
  const counts = { local: 0, upstream: 0, most: 0 };
  let asked = new Set<string>();
  const watch = new InterestWatch(clock, {
    added: (one) => interests.added(one),
    removed: (one) => interests.removed(one),
    changed() {
      const now = new Set(interests.current().map(({ pattern: one }) => one));
      for (const one of now) if (!asked.has(one)) counts.upstream++;
      for (const one of asked) if (!now.has(one)) counts.upstream++;
      asked = now;
      counts.most = Math.max(counts.most, asked.size);
    },
  });
  const exponential = (mean: number) => Math.round(-mean * Math.log(1 - random.next()));
  const come = (device: number) => {
    counts.local++;
    watch.subscribed(pattern(device));
    if (goes > 0) clock.schedule(exponential(HOUR_MS / goes), () => go(device));
  };
  const go = (device: number) => {
    counts.local++;
    watch.unsubscribed(pattern(device));
    clock.schedule(exponential(away), () => come(device));
  };
  for (let device = 0; device < devices; device++) clock.schedule(random.below(START_MS), () => come(device));
  clock.advance(2 * START_MS);
  Object.assign(counts, { local: 0, upstream: 0, most: asked.size });
  const before = process.cpuUsage();
  clock.advance(HOUR_MS);
  const { user, system } = process.cpuUsage(before);
  watch.stop();
  return { ...counts, asked: asked.size, cost: (user + system) / Math.max(counts.local, 1) };
}
