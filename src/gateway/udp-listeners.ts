import type { Logger } from 'pino';
import type { Config, UdpConfig } from '../config/schema.js';
import type { UdpAddress } from '../links/udp/udp-link.js';
import { listenUdp, type UdpListener } from '../links/udp/udp-listener.js';
import { isHello } from './address-proof.js';
import { Admission, type Host } from './admission.js';
import { type OneShotContext, OneShots } from './one-shots.js';

export interface UdpListenersContext extends OneShotContext {
  readonly limits: Config['limits'];
  readonly logger: Logger;
  readonly host: Host;
}

/** The listeners of the config on UDP. */
export class UdpListeners {
  readonly #context: UdpListenersContext;
  readonly #admission: Admission;
  readonly #open: UdpListener[] = [];

  constructor(context: UdpListenersContext) {
    const { limits, host, clock, counters } = context;
    this.#context = context;
    this.#admission = new Admission(limits.per_address.hellos, host, clock, counters);
  }

  /**
   * Opens what the config asks for.
   * @throws SlipwayError `listen_failed` when an address cannot be listened on
   */
  async open(configs: readonly UdpConfig[]): Promise<void> {
    for (const config of configs) await this.#listen(config);
  }

  /** Where it listens, with the ports that the system picked. */
  get addresses(): UdpListener['address'][] {
    return this.#open.map(({ address }) => address);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#open.map((listener) => listener.close()));
  }

  async #listen({ host, port, one_shot }: UdpConfig): Promise<void> {
    const { logger, counters, limits } = this.#context;
    const { packet, sessions, per_address } = limits;
    const oneShots = new OneShots(one_shot || undefined, per_address.one_shots, this.#context);
    const options = {
      host,
      port,
      maxPacket: packet.udp,
      maxLinks: sessions,
      maxLinksPerParty: per_address.links,
    };
    const listener = await listenUdp(
      options,
      (datagram, from) => this.#datagram(listener, oneShots, datagram, from),
      logger,
      counters,
    );
    this.#open.push(listener);
    const { address } = listener;
    logger.info({ udp: address }, `listening on UDP ${address.host} port ${address.port}`);
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
}
