import type dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { DgramAsPromised, type SocketAsPromised } from 'dgram-as-promised';
import type { Logger } from 'pino';
import type { Counters } from '../../counters.js';
import { codeOf, reasonOf } from '../../errors.js';
import { endpointName, listenError } from '../endpoint.js';
import type { LinkEvents } from '../link.js';
import { Overrun } from './overrun.js';
import { PeerTable } from './peer-table.js';
import { type UdpAddress, type UdpCarrier, UdpLink } from './udp-link.js';

/** Room for a burst of datagrams that come while this process is busy. The system may give less. */
const RECEIVE_BUFFER_BYTES = 4 * 1_048_576;
/** How long `close()` waits for datagrams that the system has not taken yet. */
const CLOSE_GRACE_MS = 1000;
const DEFAULT_MAX_BACKLOG_BYTES = 8 * 1_048_576;

export interface UdpListenOptions {
  /** An address or name. `::` listens on IPv4 too, where the system can. */
  readonly host: string;
  /** 0 lets the system pick one. */
  readonly port: number;
  /** The largest packet, in bytes, that is sent or taken. */
  readonly maxPacket: number;
  /** Links at once, over this socket. */
  readonly maxLinks: number;
  /** How many of them one party may have (see `partyOf`); any number if left out. */
  readonly maxLinksPerParty?: number;
  /** Bytes that wait for the system, of all links together; what goes beyond is dropped and counted. 8 MiB if left out. */
  readonly maxBacklog?: number;
  /** Makes the socket; `node:dgram` if left out. */
  readonly dgram?: typeof dgram;
}

/** A datagram from an address that no link is for. The bytes are only valid during the call. Must not throw. */
export type OnDatagram = (packet: Uint8Array, from: UdpAddress) => void;

/**
 * Listens for datagrams (PROTOCOL.md §2.2). Those from the peer of a link go to the link, all others to `onDatagram`,
 * whose owner decides whether to ask for a link with `linkTo`.
 * @throws SlipwayError `listen_failed` when it cannot listen there
 */
export async function listenUdp(
  options: UdpListenOptions,
  onDatagram: OnDatagram,
  logger: Logger,
  counters: Counters,
): Promise<UdpListener> {
  const { host, port } = options;
  let socket: SocketAsPromised | undefined;
  try {
    const { address, family } = await lookup(host);
    const type = family === 6 ? 'udp6' : 'udp4';
    // All that it is given from here on are addresses: to look up each for every datagram takes longer than to send it.
    socket = DgramAsPromised.createSocket({
      type,
      lookup: (known, _options, found) => found(null, known, family),
      ...(options.dgram && { dgram: options.dgram }),
    });
    const bound = await socket.bind({ address, port });
    const name = endpointName('udp', bound.address, bound.port);
    return new UdpListener(socket, { host: bound.address, port: bound.port }, family === 6, {
      ...options,
      onDatagram,
      counters,
      warn: (problem) => logger.warn(`${name}: ${problem}`),
    });
  } catch (error) {
    await socket?.close().catch(() => {}); // It is closed already when it could not be bound.
    throw listenError('udp', host, port, error);
  }
}

interface UdpListenerOptions extends UdpListenOptions {
  readonly onDatagram: OnDatagram;
  readonly counters: Counters;
  warn(problem: string): void;
}

/** A bound socket and the links over it. Counts under `udp.`. */
export class UdpListener implements UdpCarrier {
  readonly address: UdpAddress;
  readonly maxPacket: number;
  readonly counters: Counters;

  readonly #socket: SocketAsPromised;
  readonly #ipv6: boolean;
  readonly #options: UdpListenerOptions;
  readonly #links = new PeerTable();
  readonly #overrun = new Overrun(() => performance.now(), setImmediate);
  /** Why a peer was turned away last, if none was let in since. */
  #turnedAway: string | undefined;
  #backlog = 0;
  #emptied: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** Use `listenUdp`. `socket` is bound. */
  constructor(socket: SocketAsPromised, address: UdpAddress, ipv6: boolean, options: UdpListenerOptions) {
    this.address = address;
    this.maxPacket = options.maxPacket;
    this.counters = options.counters;
    this.#socket = socket;
    this.#ipv6 = ipv6;
    this.#options = options;
    // The package's own `recv` loses what comes between two calls, so datagrams are taken from the socket itself.
    socket.socket.on('message', (packet, from) => this.#receive(packet, from.address, from.port));
    socket.socket.on('error', (error) => {
      this.counters.add(`udp.socket_error.${codeOf(error) || 'unknown'}`);
      options.warn(error.message);
    });
    try {
      socket.socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    } catch (error) {
      options.warn(`the receive buffer stays as it is, bursts may be lost: ${reasonOf(error)}`);
    }
  }

  /**
   * The link to a peer: the one that stands, or a new one, for which `onLink` says who is to hear of it. Undefined,
   * and counted, when there are too many.
   */
  linkTo(peer: UdpAddress, onLink: (link: UdpLink) => LinkEvents): UdpLink | undefined {
    const standing = this.#links.get(peer.host, peer.port);
    if (standing !== undefined) return standing;
    if (this.full || this.#closing !== undefined) {
      return this.#turnAway(peer, 'too_many', `${this.#links.size} peers are known (limits.sessions)`);
    }
    const link = new UdpLink(peer, this);
    const { maxLinksPerParty = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#links.ofParty(link) >= maxLinksPerParty) {
      const why = `${maxLinksPerParty} peers of that address are known (limits.per_address.links)`;
      return this.#turnAway(peer, 'too_many_of_address', why);
    }
    this.#turnedAway = undefined;
    this.#links.add(link);
    link.start(onLink(link));
    return link;
  }

  /** For how long, ms, datagrams have come faster than they were worked off; 0 if they do not. */
  get overrunMs(): number {
    return this.#overrun.ms;
  }

  /** Whether there are as many links as there may be. */
  get full(): boolean {
    return this.#links.size >= this.#options.maxLinks;
  }

  /** Sends one datagram to a peer without a link, or drops and counts it. Never throws. */
  sendTo(packet: Uint8Array, to: UdpAddress): void {
    this.#transmit(packet, to, undefined);
  }

  /** Closes all links, then the socket. May be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#closeGently();
    return this.#closing;
  }

  transmit(packet: Uint8Array, link: UdpLink): void {
    this.#transmit(packet, link, link);
  }

  #transmit(packet: Uint8Array, to: UdpAddress, link: UdpLink | undefined): void {
    const bytes = packet.length;
    if (bytes > this.maxPacket) this.#drop('too_large', bytes, link);
    else if (this.#backlog + bytes > (this.#options.maxBacklog ?? DEFAULT_MAX_BACKLOG_BYTES))
      this.#drop('backlog', bytes, link);
    else this.#send(packet, to, link);
  }

  #drop(reason: string, bytes: number, link: UdpLink | undefined): void {
    this.counters.add(`udp.drop.${reason}`);
    // Not at once: whoever sends need not expect that.
    if (link) queueMicrotask(() => link.sent(bytes));
  }

  #send(packet: Uint8Array, { host, port }: UdpAddress, link: UdpLink | undefined): void {
    const bytes = packet.length;
    const address = this.#ipv6 && !host.includes(':') ? `::ffff:${host}` : host;
    const sent = (error: unknown): void => {
      if (error) this.counters.add(`udp.drop.${codeOf(error) || 'unknown'}`);
      else this.counters.add('udp.tx.packets');
      this.#backlog -= bytes;
      if (this.#backlog === 0) this.#emptied?.();
      link?.sent(bytes);
    };
    this.#backlog += bytes;
    try {
      // The socket's own `send`: the package's makes promises of every datagram, and rejects one for an earlier error.
      this.#socket.socket.send(Buffer.from(packet), port, address, sent);
    } catch (error) {
      queueMicrotask(() => sent(error));
    }
  }

  detach(link: UdpLink): void {
    this.#links.delete(link);
  }

  #turnAway({ host }: UdpAddress, reason: string, why: string): undefined {
    this.counters.add(`udp.refused.${reason}`);
    if (this.#turnedAway !== reason) this.#options.warn(`${host} was turned away: ${why}`);
    this.#turnedAway = reason; // Once is enough for the log; the counter has them all.
  }

  #receive(packet: Buffer, address: string, port: number): void {
    if (this.#closing !== undefined) return;
    this.#overrun.count();
    if (packet.length === 0 || packet.length > this.maxPacket) {
      this.counters.add(packet.length === 0 ? 'udp.drop.empty' : 'udp.drop.oversize');
      return;
    }
    this.counters.add('udp.rx.packets');
    const host =
      address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
    const link = this.#links.get(host, port);
    if (link === undefined) this.#options.onDatagram(packet, { host, port });
    else link.receive(packet);
  }

  async #closeGently(): Promise<void> {
    const links = [...this.#links].map((link) => link.close());
    if (this.#backlog > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, CLOSE_GRACE_MS);
        this.#emptied = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    // What the system has not taken by now fails as the socket closes, which empties the links too.
    await this.#socket.close();
    await Promise.all(links);
  }
}
