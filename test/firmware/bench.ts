import { crc16 } from '../../src/wire/crc.js';
import { CClient, type CClientOptions } from './c-client.js';

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Bytes from hexadecimal; spaces are for the reader. */
export function bytes(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

export function ascii(text: string): string {
  return Buffer.from(text).toString('hex');
}

/** A packet as a SLIP frame with its CRC (PROTOCOL.md §2.1). */
export function frame(packet: Uint8Array): Uint8Array {
  const crc = crc16(packet);
  const escaped = [...packet, crc & 0xff, crc >> 8].flatMap((byte) =>
    byte === 0xc0 ? [0xdb, 0xdc] : byte === 0xdb ? [0xdb, 0xdd] : [byte],
  );
  return Uint8Array.of(0xc0, ...escaped, 0xc0);
}

/** The packet of a SLIP frame. Throws if it is none. */
export function unframe(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0xc0 || bytes.at(-1) !== 0xc0) throw new Error(`no frame: ${hex(bytes)}`);
  const text = hex(bytes.subarray(1, -1)).replace(/../g, '$& ');
  const content = Buffer.from(
    text.replaceAll('db dc ', 'c0 ').replaceAll('db dd ', 'db ').replaceAll(' ', ''),
    'hex',
  );
  if (crc16(content) !== 0) throw new Error(`bad CRC: ${hex(bytes)}`);
  return Uint8Array.from(content.subarray(0, -2));
}

export const TOKEN = '89abcdef';

/** As size-report.mjs weighs it: QoS 0 on a serial line, and nothing that it can do without. */
export const SMALLEST = {
  SLIPWAY_WITH_DATAGRAM: 0,
  SLIPWAY_WITH_STREAM: 0,
  SLIPWAY_WITH_PATTERNS: 0,
  SLIPWAY_WITH_NAMES: 0,
  SLIPWAY_WITH_EVENTS: 0,
  SLIPWAY_WITH_UNSUPPORTED: 0,
  SLIPWAY_WITH_COUNTERS: 0,
  SLIPWAY_WITH_SLEEP: 0,
  SLIPWAY_WITH_WILL: 0,
  SLIPWAY_WITH_TIME: 0,
  SLIPWAY_TRUSTING: 1,
  SLIPWAY_MAX_PACKET: 255,
  SLIPWAY_RECEIVE_RING: 63,
};

export interface Welcome {
  flags?: number;
  nonce?: string;
  token?: string;
  nextIn?: number;
  nextOut?: number;
  received?: number;
  keepAlive?: number;
  maxPacket?: string;
  window?: string;
  ids?: string;
  /** Behind the time, as hex. */
  options?: string;
}

/** A board's C client, and the gateway's side of the talk put together by hand. */
export class Bench {
  readonly client: CClient;
  readonly serial: boolean;
  now = 0;

  constructor(options: Partial<CClientOptions> = {}) {
    this.client = new CClient({ framing: 'datagram', nonce: 0x04030201, ...options });
    this.serial = options.framing === 'serial';
  }

  /** The packets that the client sent since the last look, in hexadecimal. */
  sent(): string[] {
    return this.client
      .take()
      .map((packet) =>
        hex(this.serial ? unframe(packet) : packet.subarray(this.client.framing === 'stream' ? 1 : 0)),
      );
  }

  /** Hands the client a packet, in its framing. */
  give(packet: string): void {
    const raw = bytes(packet);
    const framed = { serial: frame(raw), datagram: raw, stream: Uint8Array.of(raw.length, ...raw) };
    this.client.receive(framed[this.client.framing]);
  }

  /** Lets time pass, polling each ms, and returns what was sent. */
  pass(ms: number): string[] {
    for (let i = 0; i < ms; i++) this.client.poll(++this.now);
    return this.sent();
  }

  /** Lets time pass in one step, with one poll after it. */
  skip(ms: number): void {
    this.now += ms;
    this.client.poll(this.now);
  }

  /** Lets time pass until something is sent, `most` ms at the most. Returns how many ms it took. */
  until(most: number): { ms: number; sent: string[] } {
    for (let ms = 1; ms <= most; ms++) {
      const sent = this.pass(1);
      if (sent.length) return { ms, sent };
    }
    return { ms: most, sent: [] };
  }

  welcome(welcome: Welcome = {}): void {
    const u16 = (value: number) => value.toString(16).padStart(4, '0');
    const { flags = 0, nonce = '01020304', token = TOKEN, nextIn = 0x1000, nextOut = 0x2000 } = welcome;
    const { received = 0, keepAlive = 15, maxPacket = '8008', window = '20', ids = '40' } = welcome;
    const { options = '' } = welcome;
    this.give(
      `b1 01 0${flags} ${nonce} ${token} ${u16(nextIn)} ${u16(nextOut)} ${u16(received)} ${u16(keepAlive)} ${maxPacket} ${window} ${ids} 019b76daa800 ${options}`,
    );
  }

  /** HELLO, WELCOME, BEGIN, ACK, and the sweep's ACK: afterwards the client is ready and silent, expecting 0x1001. */
  connect(welcome: Welcome = {}): void {
    this.pass(1);
    this.welcome(welcome);
    this.next = welcome.nextIn ?? 0x1000;
    this.ackAll(this.pass(1));
    this.client.events.splice(0);
    this.sent();
  }

  /** Acknowledges the packets `sent` and whatever follows, until nothing more comes. */
  ackAll(sent: string[] = this.sent()): void {
    let packets = sent;
    do {
      for (const packet of packets) if (numberOf(packet) === this.next) this.next++;
      this.ack();
      packets = this.pass(1);
    } while (packets.length > 0);
  }

  /** Sends an ACK of all before `next`, with a bitmap if there is one. */
  ack(bitmap = ''): void {
    this.give(`b8 ${this.next.toString(16).padStart(4, '0')} ${bitmap}`);
  }

  /** The number that the gateway expects next. */
  next = 0x1000;
}

/** The sequence number of the last message of a packet, if it has one. */
export function numberOf(packet: string): number | undefined {
  const raw = bytes(packet);
  let at = 0;
  while ((raw[at] as number) & 0x40) at += 2 + (raw[at + 1] as number);
  const head = raw[at];
  if (head === undefined || head < 0x90 || (head >= 0xb0 && head < 0xb9)) return undefined;
  return ((raw[at + 1] as number) << 8) | (raw[at + 2] as number);
}
