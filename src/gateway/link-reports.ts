import type { Cancel, Clock } from '../clock.js';
import type { PortReport } from '../links/serial/port-status.js';
import type { Router } from '../router/router.js';
import { Connection } from './connection.js';
import type { Hub } from './hub.js';
import type { MqttConnection } from './mqtt/mqtt-connection.js';
import type { MqttHub } from './mqtt/mqtt-hub.js';

/** What `$slipway/links/<link>` says of one link, as JSON (PROTOCOL.md §6.6). What is not known is left out. */
export interface LinkReport {
  /** `serial:bench`, `udp:192.0.2.7:5000`, `tcp:127.0.0.1:40312`, `mqtt:127.0.0.1:40313`. */
  readonly link: string;
  /** Who stands on it. */
  readonly identity?: string;
  /** Of a serial port: its device, its rate, why it is not open, and everything counted of it. */
  readonly port?: PortReport;
  /** How long a packet takes there and its answer back, ms. */
  readonly round_trip_ms?: number;
  /** Reliable messages sent since the session stands on this link, repeated ones included. */
  readonly sent?: number;
  /** How many of those repeated one: what was lost on the way there or back. */
  readonly resent?: number;
  /** Reliable messages that wait or are not acknowledged. */
  readonly pending?: number;
  /** Bytes that the system has not taken yet. */
  readonly backlog?: number;
  /** How often a session began or went on over this link, and how often the peer had been reset in between. */
  readonly begins?: number;
  readonly resets?: number;
}

export const LINK_REPORTS = '$slipway/links';
const INTERVAL_MS = 1000;
/** With more links than this each has its turn less often: watching a large gateway must not keep it from its work. */
const MAX_REPORTS_PER_INTERVAL = 1000;
/** A link that has carried nothing reliable is asked for an answer this often while it is watched, ms. */
const PROBE_MS = 5000;

/** Emits how each link does, once a second, while somebody is subscribed; otherwise it costs one look a second. */
export class LinkReports {
  readonly #router: Router;
  readonly #hub: Hub;
  readonly #mqttHub: MqttHub;
  readonly #clock: Clock;
  /** Serial ports as they are, open or not, by the name of their link. */
  readonly #ports: () => Iterable<readonly [link: string, port: PortReport]>;
  #cancel: Cancel | undefined;
  /** Where the last round stopped. */
  #round: Iterator<Connection | MqttConnection> | undefined;
  #probedAt = Number.NEGATIVE_INFINITY;

  constructor(
    router: Router,
    hub: Hub,
    mqttHub: MqttHub,
    clock: Clock,
    ports: () => Iterable<readonly [link: string, port: PortReport]>,
  ) {
    this.#router = router;
    this.#hub = hub;
    this.#mqttHub = mqttHub;
    this.#clock = clock;
    this.#ports = ports;
  }

  start(): void {
    this.#cancel = this.#clock.schedule(INTERVAL_MS, () => {
      if (this.#router.isWatched(LINK_REPORTS)) this.#report();
      this.start();
    });
  }

  stop(): void {
    this.#cancel?.();
  }

  #report(): void {
    const now = this.#clock.now();
    const probe = now - this.#probedAt >= PROBE_MS;
    if (probe) this.#probedAt = now;
    const ports = new Map(this.#ports());
    for (const connection of this.#nextConnections()) {
      const { name } = connection.link;
      const channel = `${LINK_REPORTS}/${name}`;
      if (!this.#router.hasAudience(channel)) continue;
      if (!(connection instanceof Connection)) {
        this.#emit(channel, reportOfMqtt(connection));
        continue;
      }
      const report = reportOf(connection, ports.get(name));
      if (probe && report.round_trip_ms === undefined) ask(connection);
      this.#emit(channel, report);
    }
    // A port without a link is what one most wants to know of.
    for (const [link, port] of ports) {
      if (port.state !== 'open') this.#emit(`${LINK_REPORTS}/${link}`, { link, port });
    }
  }

  #emit(channel: string, report: LinkReport): void {
    this.#router.emit(channel, Buffer.from(JSON.stringify(report)), { qos: 0, retain: false });
  }

  *#allConnections(): Generator<Connection | MqttConnection, undefined> {
    yield* this.#hub.connections.values();
    yield* this.#mqttHub.connections;
  }

  /** As many as one interval may have; the rest comes in the next ones. */
  *#nextConnections(): Generator<Connection | MqttConnection> {
    this.#round ??= this.#allConnections();
    for (let i = 0; i < MAX_REPORTS_PER_INTERVAL; i++) {
      const { done, value } = this.#round.next();
      if (done) {
        this.#round = undefined;
        return;
      }
      yield value;
    }
  }
}

function reportOfMqtt({ link, session }: MqttConnection): LinkReport {
  const common = { link: link.name, backlog: link.backlog() };
  return session ? { ...common, identity: session.identity, pending: session.pending } : common;
}

function reportOf(connection: Connection, port: PortReport | undefined): LinkReport {
  const { link, session, begins, resets } = connection;
  const common = { link: link.name, ...(port && { port }), backlog: link.backlog(), begins, resets };
  if (!session) return common;
  const { roundTripMs, sent, resent, pending } = session.engine.health;
  return {
    ...common,
    identity: session.identity,
    ...(roundTripMs !== undefined && { round_trip_ms: Math.round(roundTripMs * 10) / 10 }),
    sent,
    resent,
    pending,
  };
}

function ask({ session }: Connection): void {
  if (!session || session.engine.asleep) return;
  session.engine.probe();
  session.wake();
}
