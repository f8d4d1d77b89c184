import type { Duplex } from 'node:stream';
import type { IClientOptions, IConnackPacket, MqttClient, Packet } from 'mqtt';
import type { Cancel, Clock } from '../../clock.js';
import type { AnswerProperties } from '../../mqtt/wire/packets.js';
import { readProperties } from '../../mqtt/wire/read-properties.js';
import { Reader } from '../../mqtt/wire/reader.js';
import { TYPE } from '../../mqtt/wire/types.js';
import type { UpstreamError, UpstreamErrorCode } from '../upstream.js';
import { connectionProblem, isCut } from './connection-problems.js';
import { ControlStream } from './control-stream.js';
import { SubscriptionIds } from './packet-ids.js';
import type { PacketSplitter } from './packet-splitter.js';
import { connackProblem, disconnectProblem, isOfBroker, problemAt, type Where } from './problems.js';
import { Wire } from './wire.js';

/** How long the broker may take to answer CONNECT, from the attempt to reach it on, ms. */
const CONNECT_TIMEOUT_MS = 20_000;
/** That something arrives shows that the broker is there; it is noted no more often than this, ms. */
const ALIVE_MS = 1000;
const DISCONNECT = Buffer.of(TYPE.disconnect << 4, 0);
/** Messages and their acknowledgements. */
const OURS: ReadonlySet<number> = new Set([
  TYPE.publish,
  TYPE.puback,
  TYPE.pubrec,
  TYPE.pubrel,
  TYPE.pubcomp,
]);

export interface LinkOptions {
  readonly where: Where;
  readonly clock: Clock;
  /** The largest packet that is taken, bytes. */
  readonly maxPacket: number;
  /** What CONNECT says besides. */
  readonly login: Pick<IClientOptions, 'username' | 'password' | 'keepalive' | 'properties'>;
  /** Whether the broker is to forget the session that it has. */
  readonly clean: boolean;
  /** Begins to connect. */
  transport(): Promise<Duplex>;
}

export interface LinkEvents {
  /** A message or an acknowledgement of one came. It must not be kept. */
  packet(packet: PacketSplitter): void;
  /** The connection is over, not by `close`. Called once. `byBroker`: it ended it, and did not say that it was for something of its own. */
  over(problem: UpstreamError, byBroker: boolean): void;
}

/**
 * A connection to a broker. The `mqtt` package begins it, keeps it alive and subscribes. Messages go past it: it would copy each one
 * deeply, send again those of an earlier connection one by one before all else, and take no acknowledgement while a message waits.
 */
export class BrokerLink {
  readonly client: MqttClient;
  readonly #where: Where;
  readonly #clock: Clock;
  readonly #wire: Wire;
  readonly #control: ControlStream;
  /** Undefined until the broker has accepted it. */
  #connack: IConnackPacket | undefined;
  #accepted: () => void;
  #events: LinkEvents;
  #over = false;
  #sentAt = Number.NEGATIVE_INFINITY;
  #aliveAt = Number.NEGATIVE_INFINITY;
  #cancelPing: Cancel | undefined;

  /**
   * Resolves when the broker has accepted it; nothing more is read until `start`.
   * @throws UpstreamError; also when `signal` aborts
   */
  static async open(options: LinkOptions, signal: AbortSignal): Promise<BrokerLink> {
    const { MqttClient: Client } = await import('mqtt');
    const socket = await options.transport();
    if (signal.aborted) {
      socket.on('error', () => {}); // Nobody waits for it any more.
      socket.destroy();
      throw problemAt(options.where, 'unreachable', 'given up');
    }
    return new Promise((resolve, reject) => {
      const link = new BrokerLink(options, socket, Client, {
        accepted: () => settled(() => resolve(link)),
        over: (problem) => settled(() => reject(problem)),
      });
      const abort = () => link.fail('unreachable', 'given up');
      const settled = (task: () => void) => {
        signal.removeEventListener('abort', abort);
        task();
      };
      signal.addEventListener('abort', abort);
      link.client.connect();
    });
  }

  private constructor(
    { where, clock, maxPacket, login, clean }: LinkOptions,
    socket: Duplex,
    Client: typeof MqttClient,
    opening: { readonly accepted: () => void; readonly over: LinkEvents['over'] },
  ) {
    this.#where = where;
    this.#clock = clock;
    this.#accepted = opening.accepted;
    this.#events = { packet: () => {}, over: opening.over };
    this.#wire = new Wire(socket, maxPacket, {
      packet: (packet) => this.#packet(packet),
      closed: (problem) =>
        this.#end(connectionProblem(where, problem, this.#connack !== undefined), isCut(problem)),
    });
    this.#control = new ControlStream((bytes) => this.send(bytes));
    this.client = new Client(() => this.#control, {
      ...login,
      clientId: where.clientId,
      protocolVersion: where.version === 5 ? 5 : 4,
      clean,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      manualConnect: true,
      messageIdProvider: new SubscriptionIds(),
    });
    this.client.on('packetsend', (packet) => {
      // What mosquitto and others know a bridge by: they send it nothing back, and say which messages are to be kept.
      if (packet.cmd === 'connect' && where.version === '3.1.1')
        (packet as { bridgeMode?: boolean }).bridgeMode = true;
    });
    this.client.on('packetreceive', (packet) => this.#received(packet));
    this.client.on('error', ({ message }) => this.fail('unreachable', said(message)));
  }

  /** What the broker answered to CONNECT. */
  get connack(): IConnackPacket {
    if (this.#connack === undefined) throw new Error('the broker has not answered');
    return this.#connack;
  }

  /** Begins to read what the broker has to say. */
  start(events: LinkEvents): void {
    this.#events = events;
    this.#wire.resume();
  }

  /** Bytes that the system has not taken. */
  get unsentBytes(): number {
    return this.#wire.unsentBytes;
  }

  /** Bytes that the system has taken until now. */
  get takenBytes(): number {
    return this.#wire.takenBytes;
  }

  /** Sends bytes behind all others. They must not change any more. Nothing happens when the connection is over. */
  send(bytes: Uint8Array): void {
    this.#sentAt = this.#clock.now();
    this.#wire.send(bytes);
  }

  /** Reads nothing more until `resume`, not even that the broker is there: it is told meanwhile that we are. */
  pause(): void {
    if (this.#over || this.#wire.paused) return;
    this.#wire.pause();
    this.client.reschedulePing(true);
    this.#pingLater();
  }

  /** Goes on reading, perhaps before it returns. */
  resume(): void {
    this.#cancelPing?.();
    this.#wire.resume();
  }

  /** Ends the connection; `over` is told. */
  fail(code: UpstreamErrorCode, text: string): void {
    this.#end(problemAt(this.#where, code, text), false);
  }

  /** Says goodbye and closes. The session stays at the broker, unless it was to be clean. Nothing is told any more. */
  close(): Promise<void> {
    this.#stop();
    this.#wire.send(DISCONNECT);
    return this.#wire.close();
  }

  #end(problem: UpstreamError, byBroker: boolean): void {
    if (this.#over) return;
    this.#stop();
    this.#wire.destroy();
    this.#events.over(problem, byBroker);
  }

  #stop(): void {
    this.#over = true;
    this.#cancelPing?.();
    this.client.end(true);
  }

  #packet(packet: PacketSplitter): void {
    this.#seenAlive();
    const type = packet.head >> 4;
    if (OURS.has(type)) return this.#events.packet(packet);
    // Not by way of the `mqtt` package: the connection may be closed before that says so.
    if (type === TYPE.disconnect) return this.#disconnected(packet);
    // Whoever asked for the connection says when it is ready for more.
    if (type === TYPE.connack) this.#wire.pause();
    this.#control.push(packet.bytes.subarray(packet.start, packet.end));
  }

  /** MQTT 5, 3.14; in 3.1.1 no broker says it. */
  #disconnected({ bytes, at, end }: PacketSplitter): void {
    const reader = new Reader();
    reader.level = 5;
    reader.start(bytes, at, end);
    const code = reader.left > 0 ? reader.u8('the reason code') : 0;
    const properties = reader.left > 0 ? readProperties<AnswerProperties>(reader, 'disconnect') : undefined;
    this.#end(disconnectProblem(this.#where, code, properties?.reasonString), !isOfBroker(code));
  }

  #received(packet: Packet): void {
    if (packet.cmd !== 'connack' || this.#over) return;
    const code = packet.reasonCode ?? packet.returnCode ?? 0;
    if (code !== 0)
      return this.#end(connackProblem(this.#where, code, packet.properties?.reasonString), false);
    const { receiveMaximum, maximumPacketSize } = packet.properties ?? {};
    if (receiveMaximum === 0 || maximumPacketSize === 0)
      return this.fail(
        'unsuitable',
        'it says that it takes nothing (Receive Maximum or Maximum Packet Size 0)',
      );
    this.#connack = packet;
    // Not before the `mqtt` package has seen it.
    this.client.once('connect', () => {
      if (!this.#over) this.#accepted();
    });
  }

  /** A ping's answer may come late behind much else: as long as both sides send, none is needed. */
  #seenAlive(): void {
    const now = this.#clock.now();
    if (now - this.#aliveAt < ALIVE_MS) return;
    this.#aliveAt = now;
    if (now - this.#sentAt < this.#keepAliveMs / 4) this.client.reschedulePing(true);
  }

  get #keepAliveMs(): number {
    return (this.client.keepalive ?? 0) * 1000;
  }

  #pingLater(): void {
    if (this.#keepAliveMs === 0) return;
    this.#cancelPing = this.#clock.schedule(this.#keepAliveMs / 2, () => {
      this.client.sendPing();
      this.client.reschedulePing(true);
      this.#pingLater();
    });
  }
}

/** What the `mqtt` package says of a broker that is silent. */
function said(message: string): string {
  if (message === 'connack timeout')
    return `no answer within ${CONNECT_TIMEOUT_MS / 1000} s: check host and port`;
  if (message === 'Keepalive timeout') return 'it does not answer any more (keep_alive)';
  return message;
}
