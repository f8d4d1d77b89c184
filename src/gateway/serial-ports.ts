import type { Logger } from 'pino';
import type { Clock } from '../clock.js';
import type { Config, SerialConfig } from '../config/schema.js';
import type { Counters } from '../counters.js';
import type { Link, LinkEvents } from '../links/link.js';
import { PortClaims } from '../links/serial/claims.js';
import type { ListPorts } from '../links/serial/list-ports.js';
import type { OpenPort } from '../links/serial/port.js';
import type { PortSupervisor } from '../links/serial/port-supervisor.js';
import type { SerialLink } from '../links/serial/serial-link.js';
import type { Router } from '../router/router.js';
import type { Qos } from '../wire/messages.js';
import { LineWriter } from './line-writer.js';
import type { Session } from './session.js';

export interface SerialPortsContext {
  readonly router: Router;
  readonly limits: Config['limits'];
  readonly logger: Logger;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly openPort?: OpenPort | undefined;
  readonly listPorts?: ListPorts | undefined;
  /** Takes on the link of a port that is open. */
  readonly onLink: (link: Link) => LinkEvents;
  /** Emits on behalf of the gateway itself. */
  readonly emit: (channel: string, payload: string, options?: { qos?: Qos }) => void;
}

/** The serial ports of the config, and what boards without Slipway's firmware print and read there (PROTOCOL.md §8). */
export class SerialPorts {
  readonly #context: SerialPortsContext;
  readonly #supervisors: PortSupervisor[] = [];
  readonly #configOf = new Map<Link, SerialConfig>();

  constructor(context: SerialPortsContext) {
    this.#context = context;
  }

  /** Opens ports as they appear, from now on. */
  async open(configs: readonly SerialConfig[]): Promise<void> {
    if (configs.length === 0) return;
    // What binds to native code takes its time to load: only where the config asks for it.
    const { PortSupervisor } = await import('../links/serial/port-supervisor.js');
    const { logger, counters, clock, limits, openPort, listPorts } = this.#context;
    const claims = new PortClaims();
    for (const config of configs) {
      const supervisor = new PortSupervisor({
        config,
        onLink: (link) => this.#opened(config, link),
        log: logger,
        counters,
        clock,
        claims,
        maxPacket: limits.packet.serial,
        maxBacklog: limits.backlog,
        ...(openPort && { openPort }),
        ...(listPorts && { listPorts }),
      });
      this.#supervisors.push(supervisor);
      supervisor.start();
    }
  }

  /** How each does, and its link if it is open. */
  get reports(): (readonly [PortSupervisor['link'], PortSupervisor['report']])[] {
    return this.#supervisors.map(({ link, report }) => [link, report] as const);
  }

  /** A line of text came on a link, and what session stands there. */
  text(link: Link, session: Session | undefined, line: string): void {
    const { emit, logger } = this.#context;
    const config = this.#configOf.get(link);
    const name = config?.name ?? link.name;
    emit(session ? `$slipway/devices/${session.identity}/log` : `$slipway/ports/${name}/log`, line);
    logger.debug({ link: link.name, line }, `${name} says: ${line}`);
    if (config?.lines.emit !== undefined) emit(config.lines.emit, line, { qos: 1 });
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#supervisors.map((supervisor) => supervisor.close()));
  }

  #opened(config: SerialConfig, link: SerialLink): LinkEvents {
    const { router, limits, logger, onLink } = this.#context;
    const events = onLink(link);
    this.#configOf.set(link, config);
    const writer = new LineWriter(link, limits.backlog);
    const { listen } = config.lines;
    if (listen !== undefined) {
      // No last value: opening the port may just have reset the board, and its bootloader is listening.
      const refusal = router.subscribe(writer, listen, { qos: 1, noLocal: false, noLastValue: true });
      if (refusal) logger.warn({ refusal }, `port ${config.name} cannot listen to ${listen}: ${refusal}`);
    }
    return {
      packet: (packet) => events.packet(packet),
      text: (line) => events.text?.(line),
      drained: () => events.drained?.(),
      closed: (reason) => {
        router.remove(writer);
        this.#configOf.delete(link);
        events.closed(reason);
      },
    };
  }
}
