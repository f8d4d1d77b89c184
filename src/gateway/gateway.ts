import { randomInt } from 'node:crypto';
import { type Logger, pino } from 'pino';
import type { Access } from '../access/access.js';
import { type Policy, readPolicy } from '../access/policy.js';
import { type Cancel, type Clock, systemClock } from '../clock.js';
import type { Config, SerialConfig, UdpConfig } from '../config/schema.js';
import { Counters } from '../counters.js';
import type { Link, LinkEvents } from '../links/link.js';
import { PortClaims } from '../links/serial/claims.js';
import type { ListPorts } from '../links/serial/list-ports.js';
import type { OpenPort } from '../links/serial/port.js';
import type { PortSupervisor } from '../links/serial/port-supervisor.js';
import type { SerialLink } from '../links/serial/serial-link.js';
import type { UdpAddress } from '../links/udp/udp-link.js';
import { listenUdp, type UdpListener } from '../links/udp/udp-listener.js';
import { Router } from '../router/router.js';
import { QueueTotal } from '../session/queue-total.js';
import type { Contents } from '../store/contents.js';
import { Store } from '../store/store.js';
import type { Qos } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import { isHello } from './address-proof.js';
import { Admission } from './admission.js';
import { Commons } from './commons.js';
import { Hub, type HubLimits } from './hub.js';
import { lastValueKeeper, restoreLastValues } from './last-value-records.js';
import { LineWriter } from './line-writer.js';
import { LinkReports } from './link-reports.js';
import { MqttHub } from './mqtt/mqtt-hub.js';
import { OneShots } from './one-shots.js';
import { Presence } from './presence.js';
import { needingRestart } from './reload.js';
import type { Session } from './session.js';
import { Statistics, type StatisticsSnapshot } from './statistics.js';
import { StreamListeners } from './stream-listeners.js';

/** What a gateway needs from outside; all but the config has a default that is the real thing. */
export interface GatewayOptions {
  readonly config: Config;
  /** Nothing is logged unless given. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly openPort?: OpenPort;
  readonly listPorts?: ListPorts;
  /** Who may connect, and do what, in place of what the config says of that. */
  readonly access?: Access;
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
  readonly #udp: UdpListener[] = [];
  readonly #ports: PortSupervisor[] = [];
  readonly #admission: Admission;
  readonly #portOfLink = new Map<Link, SerialConfig>();
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
      await gateway.#start();
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
      access: options.access,
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
        text: (link, session, line) => this.#text(link, session, line),
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
    this.#streams = new StreamListeners({
      limits,
      logger,
      counters: this.#counters,
      onLink: (link) => this.#hub.attach(link),
      onMqtt: (link) => this.#mqttHub.attach(link),
    });
    this.#admission = new Admission(limits.per_address.hellos, this.#hub, clock, this.#counters);
    this.#statistics = new Statistics(
      this.#router,
      this.#commons.places.residents,
      this.#counters,
      clock,
      logger,
    );
    this.#linkReports = new LinkReports(this.#router, this.#hub, this.#mqttHub, clock, () =>
      this.#ports.map(({ link, report }) => [link, report] as const),
    );
  }

  /** Where it listens, with the ports that the system picked. */
  get addresses(): Readonly<Record<'tcp' | 'udp' | 'mqtt' | 'ws', Address[]>> {
    return {
      tcp: this.#streams.addresses('tcp'),
      mqtt: this.#streams.addresses('mqtt'),
      ws: this.#streams.addresses('ws'),
      udp: this.#udp.map(({ address }) => address),
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

  async #start(): Promise<void> {
    const { config, logger } = this.#options;
    this.#stopCorrecting = this.#presence.correctLater((identity) => this.#hub.stateOf(identity));
    await this.#streams.open(config.listen);
    for (const entry of config.listen.udp) await this.#listenUdp(entry);
    await this.#watchPorts(config.serial);
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
    await Promise.race([this.#closeAll(grace), grace]);
    giveUp?.();
  }

  async #closeAll(grace: Promise<void>): Promise<void> {
    await Promise.allSettled([this.#streams, ...this.#udp, ...this.#ports].map((part) => part.close()));
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

  async #listenUdp({ host, port, one_shot }: UdpConfig): Promise<void> {
    const { logger, config } = this.#options;
    const { packet, sessions, per_address } = config.limits;
    const oneShots = new OneShots(one_shot || undefined, per_address.one_shots, {
      router: this.#router,
      access: this.#commons.access,
      turns: this.#commons.turns,
      clock: this.#clock,
      counters: this.#counters,
    });
    const options = {
      host,
      port,
      maxPacket: packet.udp,
      maxLinks: sessions,
      maxLinksPerParty: per_address.links,
    };
    const listener = await listenUdp(
      options,
      (packet, from) => this.#datagram(listener, oneShots, packet, from),
      logger,
      this.#counters,
    );
    this.#udp.push(listener);
    logger.info(
      { udp: listener.address },
      `listening on UDP ${listener.address.host} port ${listener.address.port}`,
    );
  }

  /** A datagram from an address that has no link: only a HELLO gives it one, once the address is proved. */
  #datagram(listener: UdpListener, oneShots: OneShots, packet: Uint8Array, from: UdpAddress): void {
    const { length } = packet;
    const answer = (bytes: Uint8Array): void => {
      // Never more bytes than came, so that a forged address gains nothing by it.
      if (bytes.length <= length) listener.sendTo(bytes, from);
    };
    if (isHello(packet)) this.#admission.greet(listener, packet, from, answer);
    else oneShots.take(packet, from, answer);
  }

  async #watchPorts(configs: readonly SerialConfig[]): Promise<void> {
    if (configs.length === 0) return;
    const { PortSupervisor } = await import('../links/serial/port-supervisor.js');
    const { logger, openPort, listPorts } = this.#options;
    const { limits } = this.#options.config;
    const claims = new PortClaims();
    for (const config of configs) {
      const supervisor = new PortSupervisor({
        config,
        onLink: (link) => this.#portOpened(config, link),
        log: logger,
        counters: this.#counters,
        clock: this.#clock,
        claims,
        maxPacket: limits.packet.serial,
        maxBacklog: limits.backlog,
        ...(openPort && { openPort }),
        ...(listPorts && { listPorts }),
      });
      this.#ports.push(supervisor);
      supervisor.start();
    }
  }

  #portOpened(config: SerialConfig, link: SerialLink): LinkEvents {
    const events = this.#hub.attach(link);
    this.#portOfLink.set(link, config);
    const writer = new LineWriter(link, this.#options.config.limits.backlog);
    const { listen } = config.lines;
    if (listen !== undefined) {
      // No last value: opening the port may just have reset the board, and its bootloader is listening.
      const refusal = this.#router.subscribe(writer, listen, { qos: 1, noLocal: false, noLastValue: true });
      if (refusal)
        this.#options.logger.warn({ refusal }, `port ${config.name} cannot listen to ${listen}: ${refusal}`);
    }
    return {
      packet: (packet) => events.packet(packet),
      text: (line) => events.text?.(line),
      drained: () => events.drained?.(),
      closed: (reason) => {
        this.#router.remove(writer);
        this.#portOfLink.delete(link);
        events.closed(reason);
      },
    };
  }

  #text(link: Link, session: Session | undefined, line: string): void {
    const port = this.#portOfLink.get(link);
    const name = port?.name ?? link.name;
    const channel = session ? `$slipway/devices/${session.identity}/log` : `$slipway/ports/${name}/log`;
    this.emit(channel, line);
    this.#options.logger.debug({ link: link.name, line }, `${name} says: ${line}`);
    if (port?.lines.emit !== undefined) this.emit(port.lines.emit, line, { qos: 1 });
  }
}

function queueLimits({ queue, all_queues }: Config['limits']): HubLimits['queue'] {
  const { messages, bytes } = queue;
  return { messages, bytes, total: new QueueTotal(all_queues.messages, all_queues.bytes) };
}
