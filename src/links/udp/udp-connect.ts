import { lookup } from 'node:dns/promises';
import { SocketAddress } from 'node:net';
import { pino } from 'pino';
import { Counters } from '../../counters.js';
import { reasonOf, SlipwayError } from '../../errors.js';
import type { LinkEvents } from '../link.js';
import type { UdpLink } from './udp-link.js';
import { listenUdp } from './udp-listener.js';

export interface UdpConnectOptions {
  readonly host: string;
  readonly port: number;
  /** The largest packet, in bytes, that is sent or taken. */
  readonly maxPacket: number;
  readonly counters?: Counters;
}

/**
 * A link to a gateway over a UDP socket of its own (PROTOCOL.md §2.2). Nothing is sent to make it, so it stands
 * whether or not somebody listens there. Datagrams from other addresses are dropped and counted.
 * @throws SlipwayError `connect_failed` when the name is not found or there is no socket to be had
 */
export async function connectUdp(
  options: UdpConnectOptions,
  onLink: (link: UdpLink) => LinkEvents,
): Promise<UdpLink> {
  const { host, port, maxPacket, counters = new Counters() } = options;
  try {
    const { address, family } = await lookup(host);
    const listener = await listenUdp(
      { host: family === 6 ? '::' : '0.0.0.0', port: 0, maxPacket, maxLinks: 1 },
      () => counters.add('udp.drop.stranger'),
      pino({ level: 'silent' }),
      counters,
    );
    return listener.linkTo({ host: canonical(address, family), port }, (link) => {
      const events = onLink(link);
      return {
        packet: (packet) => events.packet(packet),
        drained: () => events.drained?.(),
        closed: (reason) => {
          void listener.close();
          events.closed(reason);
        },
      };
    }) as UdpLink; // It is the only one.
  } catch (error) {
    throw new SlipwayError(
      'connect_failed',
      `cannot reach a gateway at ${host}, port ${port}: ${reasonOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** An IPv6 address as the system writes it in what arrives, to be recognised. */
function canonical(address: string, family: number): string {
  return family === 6 && !address.includes('%')
    ? new SocketAddress({ address, family: 'ipv6' }).address
    : address;
}
