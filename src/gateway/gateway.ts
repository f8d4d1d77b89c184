import { randomInt } from 'node:crypto';
import { type Logger, pino } from 'pino';
import { type Policy, readPolicy } from '../access/policy.js';
import { Bridges } from '../bridges/bridges.js';
import { type Cancel, type Clock, systemClock } from '../clock.js';
import type { Config } from '../config/schema.js';
import { Counters } from '../counters.js';
import type { Link } from '../links/link.js';
import type { ListPorts } from '../links/serial/list-ports.js';
import type { OpenPort } from '../links/serial/port.js';
import { Router } from '../router/router.js';
import { QueueTotal } from '../session/queue-total.js';
import type { Contents } from '../store/contents.js';
import { Store } from '../store/store.js';
import type { Qos } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import { Commons } from './commons.js';
import { Hub, type HubLimits } from './hub.js';
import { lastValueKeeper, restoreLastValues } from './last-value-records.js';
import { LinkReports } from './link-reports.js';
import { MqttHub } from './mqtt/mqtt-hub.js';
import { Presence } from './presence.js';
import { needingRestart } from './reload.js';
import { SerialPorts } from './serial-ports.js';
import { Statistics, type StatisticsSnapshot } from './statistics.js';
import { StreamListeners } from './stream-listeners.js';
import { UdpListeners } from './udp-listeners.js';

/** What a gateway needs from outside; all but the config has a default that is the real thing. */
export interface GatewayOptions {
  readonly config: Config;
  /** Nothing is logged unless given. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly openPort?: OpenPort;
  readonly listPorts?: ListPorts;
}

type CompleteOptions = GatewayOptions & { readonly logger: Logger; readonly clock: Clock };

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How long `stop` waits for links to take what they were sent, ms. */
const STOP_GRACE_MS = 1500;

/** The gateway: listeners and ports below, sessions and the router above. Start it with `Gateway.start`. */
export class Gateway {
  readonly #options: CompleteOptions;
  readonly #clock: Clock;
  readonly #counters = new Counters();
  readonly #store: Store | undefined;
  readonly #router: Router;
  readonly #commons: Commons;
  readonly #hub: Hub;
  readonly #mqttHub: MqttHub;
  readonly #presence: Presence;
  readonly #statistics: Statistics;
  readonly #linkReports: LinkReports;
  readonly #streams: StreamListeners;
  readonly #udp: UdpListeners;
  readonly #ports: SerialPorts;
  readonly #bridges: Bridges;
  #stopCorrecting: Cancel | undefined;
  #stopping: Promise<void> | undefined;

  /**
   * Starts a gateway: takes up what its store kept, opens its listeners, and its ports as they appear.
   * @throws SlipwayError `listen_failed` when an address cannot be listened on, `tls_unusable` for a certificate or key that
   *   cannot be used, `store_unusable` or `store_in_use` when the store cannot be opened; ConfigError when the users file
   *   cannot be used. Nothing is left open then.
   */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const { config, logger = pino({ level: 'silent' }), clock = systemClock } = options;
    const policy = await readPolicy(config.access);
    // What binds to native code takes its time to load: only where the config asks for it.
    const kept = config.store
      ? await (await import('../store/open-store.js')).openStore(config.store.path, logger)
      : undefined;
    const store =
      kept &&
      new Store(kept.backend, clock, logger, {
        maxBacklog: config.limits.store_backlog,
        time: kept.contents.time,
      });
    const gateway = new Gateway({ ...options, logger, clock }, policy, store);
    if (store && kept) gateway.#restore(store, kept.contents);
    try {
      await gateway.#start(kept?.contents);
    } catch (error) {
      await gateway.stop();
      throw error;
    }
    return gateway;
  }

  private constructor(options: CompleteOptions, policy: Policy | undefined, store: Store | undefined) {
    const { config, logger, clock } = options;
    const { limits, sessions } = config;
    this.#options = options;
    this.#clock = clock;
    this.#store = store;
    this.#router = new Router(
      {
        maxChannels: limits.channels,
        maxSubscriptions: limits.subscriptions * limits.sessions,
        maxSubscriptionsPerSubscriber: limits.subscriptions,
        maxLastValues: limits.last_values,
        maxLastValueBytes: limits.last_value_bytes,
        maxLastValuesPerParty: limits.per_address.last_values,
        maxLastValueBytesPerParty: limits.per_address.last_value_bytes,
      },
      this.#counters,
      clock,
      store && lastValueKeeper(store),
    );
    this.#presence = new Presence(this.#router, clock, logger);
    const context = {
      router: this.#router,
      clock,
      counters: this.#counters,
      logger,
      ...(store && { store }),
      policy,
      limits: {
        ...limits,
        queue: queueLimits(limits),
        queueAgeMs: limits.queue.age,
        endFull: limits.queue.when_full === 'end_session',
        willBytes: limits.will_bytes,
        expiryMs: sessions.expiry,
        sessionsPerParty: limits.per_address.sessions,
        idsPerParty: limits.per_address.ids,
      },
    };
    this.#commons = new Commons(context);
    this.#hub = new Hub({
      ...context,
      commons: this.#commons,
      access: this.#commons.access,
      events: {
        presence: ({ identity, program }, state) => program || this.#presence.announce(identity, state),
        forgotten: (identity) => this.#presence.forget(identity),
        text: (link, session, line) => this.#ports.text(link, session, line),
      },
      random32: () => randomInt(2 ** 32),
    });
    this.#mqttHub = new MqttHub({
      ...context,
      commons: this.#commons,
      access: this.#commons.access,
      limits: {
        ...context.limits,
        maxPacket: limits.packet.tcp,
        receiveMaximum: limits.window.tcp,
        keepAliveMs: limits.mqtt_keep_alive,
      },
    });
    const onLink = (link: Link) => this.#hub.attach(link);
    this.#streams = new StreamListeners({
      ...context,
      limits,
      onLink,
      onMqtt: (link) => this.#mqttHub.attach(link),
    });
    this.#udp = new UdpListeners({
      ...context,
      limits,
      host: this.#hub,
      access: this.#commons.access,
      turns: this.#commons.turns,
    });
    this.#ports = new SerialPorts({
      ...context,
      limits,
      openPort: options.openPort,
      listPorts: options.listPorts,
      onLink,
      emit: (channel, payload, more) => this.emit(channel, payload, more),
    });
    this.#bridges = new Bridges({
      ...context,
      turns: this.#commons.turns,
      sessionOf: (device) => this.#hub.standingOf(device),
    });
    this.#statistics = new Statistics(
      this.#router,
      this.#commons.places.residents,
      this.#bridges,
      this.#counters,
      clock,
      logger,
    );
    this.#linkReports = new LinkReports(
      this.#router,
      this.#hub,
      this.#mqttHub,
      clock,
      () => this.#ports.reports,
    );
  }

  /** Where it listens, with the ports that the system picked. */
  get addresses(): Readonly<Record<'tcp' | 'udp' | 'mqtt' | 'ws', Address[]>> {
    return {
      tcp: this.#streams.addresses('tcp'),
      mqtt: this.#streams.addresses('mqtt'),
      ws: this.#streams.addresses('ws'),
      udp: this.#udp.addresses,
    };
  }

  /**
   * Applies what can change while it runs: rules, users and the certificates of its listeners. Nothing changes when it throws.
   * @returns the settings that differ and need a restart, as `limits.backlog`
   * @throws SlipwayError `tls_unusable` for a certificate or key that cannot be used; ConfigError when the users file cannot be
   *   used
   */
  async reload(config: Config): Promise<string[]> {
    const useCertificates = await this.#streams.readCertificates(config.listen);
    const policy = await readPolicy(config.access);
    const { access } = this.#commons;
    useCertificates();
    // A listener that stands may reach further than those of the new config, which need no rules.
    const opens = policy === undefined && access.enforced;
    if (!opens) access.change(policy);
    return [...(opens ? ['access'] : []), ...needingRestart(this.#options.config, config)];
  }

  /** Emits on behalf of the gateway itself. Returns why not, if it was refused (PROTOCOL.md §7). */
  emit(
    channel: string,
    payload: string | Uint8Array,
    options: { qos?: Qos; retain?: boolean } = {},
  ): Reason | undefined {
    const { qos = 0, retain = false } = options;
    return this.#router.emit(channel, Buffer.from(payload), { qos, retain });
  }

  /** Sessions, sizes and every counter, as on `$slipway/stats`. */
  statistics(): StatisticsSnapshot {
    return this.#statistics.snapshot();
  }

  /** Says goodbye to every peer, sends what waits, and closes everything within 2 s. May be called again. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #start(contents: Contents | undefined): Promise<void> {
    const { config, logger } = this.#options;
    // Before anybody can emit: what is acknowledged has to be in their queues.
    await this.#bridges.start(config, contents?.bridges);
    this.#stopCorrecting = this.#presence.correctLater((identity) => this.#hub.stateOf(identity));
    await this.#streams.open(config.listen);
    await this.#udp.open(config.listen.udp);
    await this.#ports.open(config.serial);
    this.#statistics.start(config.stats.interval);
    this.#linkReports.start();
    if (config.serial.length === 0) logger.debug('no serial ports are configured');
  }

  async #stop(): Promise<void> {
    this.#statistics.stop();
    this.#linkReports.stop();
    this.#stopCorrecting?.();
    let giveUp: (() => void) | undefined;
    const grace = new Promise<void>((resolve) => {
      giveUp = this.#clock.schedule(STOP_GRACE_MS, resolve);
    });
    // What waits for the store leaves before the goodbye.
    this.#hub.flush();
    await Promise.race([this.#storeSettled(), grace]);
    this.#commons.stop();
    this.#hub.stop();
    this.#mqttHub.stop();
    await Promise.race([this.#bridges.stop(), grace]);
    await Promise.race([this.#closeAll(grace), grace]);
    giveUp?.();
  }

  async #closeAll(grace: Promise<void>): Promise<void> {
    await Promise.allSettled([this.#streams, this.#udp, this.#ports].map((part) => part.close()));
    // A disk that cannot be written must not keep the process alive.
    await Promise.race([this.#storeSettled(), grace]);
    await this.#store?.close();
  }

  #storeSettled(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#store) this.#store.settled(resolve);
      else resolve();
    });
  }

  #restore(store: Store, contents: Contents): void {
    const { sessions, mqttSessions, lastValues } = contents;
    const { logger } = this.#options;
    const emits = sessions.flatMap((session) =>
      session.messages.filter(({ message }) => message.type === 'emit'),
    );
    const held = sessions.length + mqttSessions.length;
    const messages = mqttSessions.reduce((sum, session) => sum + session.messages.length, emits.length);
    logger.info(
      { sessions: held, messages, lastValues: lastValues.length },
      `the store holds ${held} sessions, ${messages} messages for them, ${lastValues.length} last values`,
    );
    const gone = restoreLastValues(store, this.#router, lastValues);
    if (gone > 0) logger.warn({ gone }, `${gone} last values are beyond limits.last_values, and gone`);
    this.#hub.restore(contents);
    this.#mqttHub.restore(mqttSessions);
  }
}

function queueLimits({ queue, all_queues }: Config['limits']): HubLimits['queue'] {
  const { messages, bytes } = queue;
  return { messages, bytes, total: new QueueTotal(all_queues.messages, all_queues.bytes) };
}
