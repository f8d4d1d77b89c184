import dgram from 'node:dgram';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Address } from '../../src/gateway/gateway.js';
import { recordSize, TcpParser, writeRecord } from '../../src/links/tcp/tcp-framing.js';
import { decodePacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Hello, Message, Refuse, Welcome } from '../../src/wire/messages.js';
import { until } from './gateways.js';
import { hello as helloOfUno } from './line.js';

const MEBIBYTE = 1_048_576;

/** A HELLO that a gateway takes. */
export function hello(identity: string, more: Partial<Hello> = {}): Hello {
  return helloOfUno({ identity, expiry: 60, maxPacket: 1024, window: 32, inFlight: 32, ...more });
}

/** A peer without an engine: it says what a test tells it to, and notes what it hears. */
abstract class RawPeer {
  readonly received: Message[] = [];

  send(...messages: Message[]): void {
    this.sendPacket(encodePacket(messages));
  }

  abstract sendPacket(packet: Uint8Array): void;

  /** Those of one type, in order. */
  all<T extends Message['type']>(type: T): Extract<Message, { type: T }>[] {
    return this.received.filter((message) => message.type === type) as Extract<Message, { type: T }>[];
  }

  /** Opens a session; the next reliable message is to have the `nextIn` of what it returns. */
  async introduce(identity: string, more: Partial<Hello> = {}): Promise<Welcome> {
    const welcome = await this.greet(identity, more);
    const acknowledged = this.all('ack').length;
    this.send({ type: 'begin', token: welcome.token });
    await until(() => {
      if (this.all('ack').length === acknowledged) throw new Error(`no ACK of the BEGIN of ${identity}`);
    });
    return welcome;
  }

  /** Says HELLO, and once more with the cookie if it is given one. */
  async hail(identity: string, more: Partial<Hello> = {}): Promise<void> {
    const before = this.all('welcome').length;
    const cookies = this.#cookies().length;
    this.send(hello(identity, more));
    await until(() => {
      if (this.all('welcome').length === before && this.#cookies().length === cookies) {
        throw new Error(`neither WELCOME nor cookie for ${identity}`);
      }
    });
    const cookie = this.#cookies()[cookies]?.detail;
    if (cookie) this.send(hello(identity, { ...more, cookie: Buffer.from(cookie).readUInt32BE() }));
  }

  /** Says HELLO until there is a WELCOME. */
  async greet(identity: string, more: Partial<Hello> = {}): Promise<Welcome> {
    const before = this.all('welcome').length;
    await this.hail(identity, more);
    await until(() => {
      if (this.all('welcome').length === before) throw new Error(`no WELCOME for ${identity}`);
    });
    return this.all('welcome').at(-1) as Welcome;
  }

  #cookies(): Refuse[] {
    return this.all('refuse').filter(({ reason }) => reason === 'prove_address');
  }

  protected take(packet: Uint8Array): void {
    this.received.push(...decodePacket(packet.slice(), 'gateway'));
  }
}

/** A TCP connection to a gateway. */
export class RawTcp extends RawPeer {
  readonly socket: Socket;
  closed = false;

  /** `from`: the address that it comes from, if it matters. */
  static async open({ host, port }: Address, from?: string): Promise<RawTcp> {
    const socket = connectSocket({ host, port, ...(from !== undefined && { localAddress: from }) });
    await once(socket, 'connect');
    const peer = new RawTcp(socket);
    onTestFinished(() => void socket.destroy());
    return peer;
  }

  private constructor(socket: Socket) {
    super();
    this.socket = socket;
    const parser = new TcpParser(MEBIBYTE, (packet) => this.take(packet));
    socket.on('data', (chunk) => parser.push(chunk));
    socket.on('error', () => {}); // 'close' follows.
    socket.on('close', () => {
      this.closed = true;
    });
  }

  override sendPacket(packet: Uint8Array): void {
    const record = new Uint8Array(recordSize(packet));
    writeRecord(record, 0, packet);
    this.socket.write(record);
  }

  /** Reads no more: from now on the gateway's bytes stay where they are. */
  stopReading(): void {
    this.socket.pause();
  }
}

/** A WebSocket to a gateway that speaks Slipway. */
export class RawWs extends RawPeer {
  readonly ws: WebSocket;

  static async open({ host, port }: Address): Promise<RawWs> {
    const ws = new WebSocket(`ws://${host}:${port}`, 'slipway');
    onTestFinished(() => ws.terminate());
    await once(ws, 'open');
    return new RawWs(ws);
  }

  private constructor(ws: WebSocket) {
    super();
    this.ws = ws;
    ws.on('message', (packet: Buffer) => this.take(packet));
  }

  override sendPacket(packet: Uint8Array): void {
    this.ws.send(packet);
  }
}

/** A UDP socket that sends to a gateway. */
export class RawUdp extends RawPeer {
  readonly socket: dgram.Socket;
  /** Sizes of the datagrams that came, in bytes. */
  readonly sizes: number[] = [];
  readonly #gateway: Address;

  /** `from`: the address that it comes from. */
  static async open(gateway: Address, from = gateway.host): Promise<RawUdp> {
    const socket = dgram.createSocket(gateway.host.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, from);
    await once(socket, 'listening');
    onTestFinished(() => void socket.close());
    return new RawUdp(socket, gateway);
  }

  private constructor(socket: dgram.Socket, gateway: Address) {
    super();
    this.socket = socket;
    this.#gateway = gateway;
    socket.on('message', (datagram) => {
      this.sizes.push(datagram.length);
      this.take(datagram);
    });
  }

  override sendPacket(packet: Uint8Array): void {
    this.socket.send(packet, this.#gateway.port, this.#gateway.host);
  }
}
