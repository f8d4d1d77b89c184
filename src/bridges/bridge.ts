import type { Logger } from 'pino';
import type { Clock } from '../clock.js';
import type { BridgeConfig, BridgeRuleConfig } from '../config/schema.js';
import type { Counters } from '../counters.js';
import type { FairTurns } from '../fair-turns.js';
import type { Router } from '../router/router.js';
import { higherQos } from '../router/subscriber.js';
import type { StoredBridge } from '../store/bridge-records.js';
import type { Store } from '../store/store.js';
import type { Qos } from '../wire/messages.js';
import { Arrivals } from './arrivals.js';
import { Connector } from './connector.js';
import { BridgeCounts } from './counts.js';
import { Departures } from './departures.js';
import type { Outlet } from './feature.js';
import { Features } from './features.js';
import { InterestWatch } from './interest-watch.js';
import { Interests } from './interests.js';
import { LastValuesUp } from './last-values.js';
import { NameRule } from './names.js';
import type { FleetPresence } from './presence/fleet-presence.js';
import { Pump } from './pump.js';
import { BridgeQueue } from './queue.js';
import { BridgeRecords } from './records.js';
import { Refusals } from './refusals.js';
import type { BridgeReport, BridgeState } from './report.js';
import { Suspicion } from './suspicion.js';
import type { Interest, RefusalReason, Upstream, UpstreamConnection, UpstreamError } from './upstream.js';

export interface BridgeContext {
  readonly config: BridgeConfig;
  /** This gateway's name. */
  readonly gateway: string;
  /** Makes the far side of it, which keeps what it has to in `records`. */
  readonly upstream: (records: BridgeRecords) => Upstream;
  readonly router: Router;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly turns: FairTurns;
  /** What the gateway knows of devices, its own and others'; where `config.presence` says that it crosses. */
  readonly presence?: FleetPresence | undefined;
  /** From 0 to 1, for the jitter. */
  readonly random: () => number;
  /** Where the queue is kept, if it is to outlive the process, and what that holds of it. */
  readonly store?: Store | undefined;
  readonly stored?: StoredBridge | undefined;
}

/** Carries channels between the router and one upstream broker or cluster, in both directions, by the rules of the config. */
export class Bridge {
  readonly name: string;
  readonly #context: BridgeContext;
  readonly #counts: BridgeCounts;
  readonly #queue: BridgeQueue;
  readonly #suspicion: Suspicion;
  readonly #pump: Pump;
  readonly #departures: Departures;
  readonly #arrivals: Arrivals;
  readonly #lastValues: LastValuesUp;
  readonly #features: Features;
  readonly #refusals: Refusals;
  readonly #interests: Interests;
  readonly #watch: InterestWatch;
  readonly #connector: Connector;
  #wanted: readonly Interest[] = [];
  #stopObserving: (() => void) | undefined;

  constructor(context: BridgeContext) {
    const { config, gateway, router, clock, counters, logger, random, store, stored } = context;
    const { name, queue } = config;
    this.name = name;
    this.#context = context;
    const counts = new BridgeCounts(counters, name);
    this.#counts = counts;
    const records = new BridgeRecords(name, store, stored);
    this.#queue = new BridgeQueue({
      bridge: name,
      limits: { messages: queue.messages, bytes: queue.bytes, ageMs: queue.age, whenFull: queue.when_full },
      window: config.in_flight,
      records,
      stored: stored?.messages,
      clock,
      counts,
      logger,
      onReady: () => this.#pump.run(),
    });
    this.#suspicion = new Suspicion({
      bridge: name,
      clock,
      logger,
      random,
      queue: this.#queue,
      refuse: (record, why) => this.#refused(record, 'cut_off', why),
      goOn: () => this.#goOn(),
    });
    this.#pump = new Pump({
      queue: this.#queue,
      suspicion: this.#suspicion,
      clock,
      connection: () => this.#connector.connection,
    });
    const common = { bridge: name, gateway, router, clock, counts, logger };
    // Each needs the other, but not before it runs.
    const lastValues: Pick<LastValuesUp, 'sent' | 'missed' | 'cleared'> = {
      sent: (channel, payload) => this.#lastValues.sent(channel, payload),
      missed: (channel) => this.#lastValues.missed(channel),
      cleared: (channel) => this.#lastValues.cleared(channel),
    };
    this.#departures = new Departures({
      ...common,
      rules: rulesOf(config.rules, 'out'),
      queue: this.#queue,
      connection: () => (this.#suspicion.muted ? undefined : this.#connector.connection),
      lastValues,
    });
    const { turns } = context;
    this.#lastValues = new LastValuesUp({
      ...common,
      rules: config.rules.filter(({ direction }) => direction !== 'in'),
      turns,
      records,
      departures: this.#departures,
      queue: this.#queue,
    });
    const outlet: Outlet = {
      hasRoom: (bytes) => this.#queue.hasRoom(bytes),
      post: (post) => this.#departures.post(post),
    };
    this.#features = new Features(config, { ...common, presence: context.presence, records, outlet });
    this.#refusals = new Refusals(common);
    const inRules = rulesOf(config.rules, 'in');
    this.#arrivals = new Arrivals({
      ...common,
      rules: inRules,
      feature: (message) => this.#features.take(message),
      echo: (message) => this.#features.echoed(message),
      isNewerHere: (channel) => this.#lastValues.isNewerHere(channel),
      emitter: this.#departures,
    });
    this.#interests = new Interests(inRules, this.#features.interests);
    this.#watch = new InterestWatch(clock, {
      added: (pattern) => this.#interests.added(pattern),
      removed: (pattern) => this.#interests.removed(pattern),
      changed: () => this.#want(),
    });
    this.#connector = new Connector(
      { name, upstream: context.upstream(records), clock, logger, random },
      {
        up: (connection) => this.#up(connection),
        down: (problem, cutOff) => this.#down(problem, cutOff),
        problemChanged: () => this.publish(),
        settled: (record) => this.#settled(record),
        refused: (record, reason, why) => this.#refused(record, reason, why),
        sendRefused: (_name, reason, why) => this.#refusals.message(reason, why),
        interestRefused: (pattern, why) => this.#refusals.interest(pattern, why),
        incoming: (message, next) => this.#arrivals.take(message, next),
      },
    );
  }

  /** Subscribes to what goes out, and connects: to be called before peers can be heard, so that nothing is missed. */
  start(): void {
    const { router } = this.#context;
    this.#subscribe();
    this.#stopObserving = router.observe({
      subscribed: (filter, subscriber) => {
        if (subscriber !== this.#departures) this.#watch.subscribed(filter);
      },
      unsubscribed: (filter, subscriber) => {
        if (subscriber !== this.#departures) this.#watch.unsubscribed(filter);
      },
    });
    this.#watch.flush();
    this.#wanted = this.#interests.current();
    this.#announce('down');
    this.#connector.start();
  }

  /** Carries nothing more. What waits stays in the store, and so does what the router still takes until the process ends. */
  async stop(): Promise<void> {
    this.#stopObserving?.();
    this.#watch.stop();
    this.#arrivals.forget();
    this.#lastValues.stop();
    this.#features.stop();
    this.#queue.stop();
    this.#pump.stop();
    this.#suspicion.stop();
    this.#announce('down');
    await this.#connector.stop();
  }

  report(): BridgeReport {
    const { connection, problem, reconnects } = this.#connector;
    const { waitsFor } = this.#arrivals;
    const { heldUp } = this.#suspicion;
    const { length, bytes, oldestAgeMs, inFlight, full } = this.#queue;
    return {
      state: connection ? 'up' : 'down',
      ...(connection && { server: connection.server }),
      ...(problem && { problem: problem.message }),
      queue: { messages: length, bytes, oldest_s: Math.round(oldestAgeMs / 1000), in_flight: inFlight },
      full,
      ...(heldUp && { held_up: heldUp }),
      ...(waitsFor !== undefined && { waits_for: waitsFor }),
      interests: this.#wanted.length,
      out: this.#counts.out.value,
      in: this.#counts.in.value,
      reconnects,
      drops: this.#counts.drops,
    };
  }

  /** Emits the report on `$slipway/bridges/<name>/stats`. */
  publish(): void {
    const { router } = this.#context;
    const payload = Buffer.from(JSON.stringify(this.report()));
    router.emit(`$slipway/bridges/${this.name}/stats`, payload, { qos: 0, retain: true });
  }

  #subscribe(): void {
    const { config, router, logger } = this.#context;
    const patterns = new Map<string, Qos>();
    for (const { pattern, direction, qos } of config.rules) {
      if (direction !== 'in') patterns.set(pattern, higherQos(patterns.get(pattern) ?? 0, qos));
    }
    for (const [pattern, qos] of patterns) {
      const options = { qos, noLocal: true, noLastValue: false, retainAsPublished: true };
      // Last values go when there is a connection.
      const refusal = router.subscribe(this.#departures, pattern, options, () => {});
      if (refusal !== undefined)
        logger.error(
          { bridge: this.name, pattern },
          `bridge ${this.name}: "${pattern}" is not carried: ${refusal} (limits.subscriptions)`,
        );
    }
  }

  #up(connection: UpstreamConnection): void {
    this.#announce('up');
    // Others are to hear that this gateway is there, also when the rest is silent.
    this.#features.up(connection.isAnew ?? false);
    this.#suspicion.up(Math.min(this.#context.config.in_flight, connection.window));
    this.#pump.run();
    this.#lastValues.up();
    // Only now: upstream tells of last values that were set here as they are here.
    connection.setInterests(this.#wanted);
  }

  #down(problem: UpstreamError, cutOff: boolean): void {
    this.#suspicion.lost(problem, cutOff);
    this.#queue.rewind();
    this.#arrivals.forget();
    this.#lastValues.down();
    this.#features.down();
    this.#announce('down');
  }

  #want(): void {
    this.#wanted = this.#interests.current();
    if (!this.#suspicion.muted) this.#connector.connection?.setInterests(this.#wanted);
  }

  /** More may be sent than before. */
  #goOn(): void {
    this.#want();
    this.#pump.run();
  }

  #settled(record: number): void {
    this.#counts.out.add();
    this.#answered(record);
  }

  #refused(record: number, reason: RefusalReason, why: string): void {
    this.#refusals.message(reason, why);
    this.#answered(record);
  }

  #answered(record: number): void {
    this.#queue.settle(record);
    this.#suspicion.answered();
    this.#pump.runSoon();
  }

  #announce(state: BridgeState): void {
    const { router } = this.#context;
    router.emit(`$slipway/bridges/${this.name}/state`, Buffer.from(state), { qos: 1, retain: true });
    this.publish();
  }
}

function rulesOf(
  rules: readonly BridgeRuleConfig[],
  direction: 'in' | 'out',
): { name: NameRule; qos: Qos }[] {
  return rules
    .filter((rule) => rule.direction === 'both' || rule.direction === direction)
    .map((rule) => ({ name: new NameRule(rule), qos: rule.qos }));
}
