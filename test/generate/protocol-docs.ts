import { FrameEncoder } from '../../src/links/serial/slip.js';
import { recordSize, writeRecord } from '../../src/links/tcp/tcp-framing.js';
import { encodePacket } from '../../src/wire/encode.js';
import { MAX_WINDOW, MIN_RESEND_MS } from '../../src/wire/limits.js';
import type { Emit, Message, Qos } from '../../src/wire/messages.js';
import { vectors, withRealBytes } from '../wire/vectors.js';
import { annotate } from './annotate.js';
import { withSection } from './section.js';

/** The vectors of packets.json that PROTOCOL.md §12 shows, by name. */
export const EXAMPLES = [
  'emit QoS 0 by id',
  'emit QoS 0 by name',
  'emit QoS 1 by id',
  'emit QoS 2 by name, retained',
  'emit QoS 0 by an id of the gateway',
  'a payload of bytes that SLIP escapes',
  'broadcast',
  'HELLO of a board',
  'HELLO with a cookie',
  'HELLO with a proof',
  'HELLO with a user and a password',
  'WELCOME, new session',
  'WELCOME with a proof',
  'BEGIN',
  'BEGIN and an emit',
  'REFUSE of an emit by id',
  'REFUSE prove_address with a cookie',
  'REFUSE prove_identity with a challenge',
  'REFUSE of a reliable message, and its ACK',
  'BYE shutdown',
  'PING from the peer',
  'PONG from the gateway',
  'TIME, the question',
  'TIME, the answer',
  'ACK from the peer',
  'ACK with a bitmap',
  'DECLARE from the peer',
  'SUBSCRIBE with an id and all options',
  'UNSUBSCRIBE',
  'REJECT from the gateway',
  'WILL',
  'SLEEP',
  'EXTENDED of a kind that version 1 does not know',
] as const;

/** A packet as each link carries it. */
export function framings(packet: Uint8Array): { serial: Uint8Array; datagram: Uint8Array; tcp: Uint8Array } {
  const tcp = Buffer.alloc(recordSize(packet));
  writeRecord(tcp, 0, packet);
  return { serial: new FrameEncoder().encode(packet), datagram: packet, tcp };
}

export interface Cost {
  readonly what: string;
  /** Bytes, counted from real packets. */
  readonly bytes: number;
  readonly budget: number;
  /** MQTT-SN 1.2, MQTT-SN 2.0 draft, XRCE-DDS, zenoh-pico, MAVLink 2: from their specifications. */
  readonly others: readonly [string, string, string, string, string];
}

/** What PROTOCOL.md §11 counts: bytes around a payload, which has none that SLIP escapes. */
export function costs(): Cost[] {
  const payload = Buffer.from('21.5 degrees Celsius');
  const emit = (qos: Qos): Emit => ({
    type: 'emit',
    qos,
    retain: false,
    ...(qos > 0 && { seq: 7 }),
    id: 5,
    payload,
  });
  const around = (qos: Qos, link: keyof ReturnType<typeof framings>): number =>
    framings(encodePacket([emit(qos)]))[link].length - payload.length;
  const ack = framings(encodePacket([{ type: 'ack', next: 8, bitmap: new Uint8Array() }])).datagram.length;
  // §10: counter u16, ciphertext as long as the packet, tag of 8 bytes.
  const inner = encodePacket([emit(1)]);
  const sealed = encodePacket([{ type: 'extended', kind: 1, body: Buffer.alloc(2 + inner.length + 8) }]);
  return [
    { what: 'UDP, QoS 0', bytes: around(0, 'datagram'), budget: 3, others: ['7', '5', '12', '6–12', '12'] },
    { what: 'UDP, QoS 1', bytes: around(1, 'datagram'), budget: 4, others: ['7', '7', '12', '–', '–'] },
    { what: 'its acknowledgement, alone', bytes: ack, budget: 3, others: ['7', '4–5', '20 + 20', '–', '–'] },
    {
      what: 'QoS 2, all packets of one message',
      bytes: around(2, 'datagram') + ack,
      budget: 7,
      others: ['19', '~17', '–', '–', '–'],
    },
    {
      what: 'serial, QoS 0 (framing and CRC included, before escapes)',
      bytes: around(0, 'serial'),
      budget: 7,
      others: ['7, no CRC', '5, no CRC', '19', '15–21', '12'],
    },
    { what: 'TCP, QoS 0', bytes: around(0, 'tcp'), budget: 4, others: ['', '', '', '', ''] },
    {
      what: 'room kept for an authenticated packet',
      bytes: sealed.length - inner.length,
      budget: 12,
      others: ['–', '≥ 24 more', '–', '–', '13 more'],
    },
  ];
}

function overheadTable(): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const counted = costs().map(({ what, bytes, budget, others }) =>
    row([what, `**${bytes}**`, `≤ ${budget}`, ...others]),
  );
  return [
    row(['', 'Slipway', 'budget', 'MQTT-SN 1.2', 'MQTT-SN 2.0 draft', 'XRCE-DDS', 'zenoh-pico', 'MAVLink 2']),
    row(Array.from({ length: 8 }, () => '---')),
    ...counted,
    row([
      'in flight, per direction',
      `up to ${MAX_WINDOW}`,
      'a window',
      '1',
      '1',
      'a window',
      'none resent',
      'none resent',
    ]),
    row([
      'first resend after a loss',
      `a round trip, or from ${MIN_RESEND_MS} ms`,
      'a few round trips',
      '10–15 s',
      '~6 s',
      'heartbeat',
      '–',
      '–',
    ]),
    '',
    'The other columns are taken from the specifications of those protocols.',
  ].join('\n');
}

function workedExamples(): string {
  const packets = vectors('packets');
  const intro =
    'Each is a vector of the same name in `vectors/packets.json`, and `example: …` in the files of the links. On a serial line the packet, escaped, and its CRC\n' +
    'stand between ENDs; a datagram is the packet; a TCP record is its length and the packet.';
  const examples = EXAMPLES.map((name) => {
    const vector = packets.find((each) => each.name === name);
    if (vector?.messages === undefined) throw new Error(`packets.json has no valid packet "${name}"`);
    return example(name, vector.from, withRealBytes<Message>(vector.messages));
  });
  return [intro, ...examples].join('\n\n');
}

function example(name: string, from: string, messages: readonly Message[]): string {
  const notes = annotate(messages);
  const packet = Buffer.concat(notes.map(({ bytes }) => bytes));
  if (!packet.equals(encodePacket(messages))) throw new Error(`the notes on "${name}" are not its bytes`);
  const { serial, tcp } = framings(packet);
  const width = Math.max(...notes.map(({ bytes }) => Math.min(bytes.length, BYTES_A_LINE))) * 3;
  const title = `**${name[0]?.toUpperCase()}${name.slice(1)}**${name.includes(from) ? '' : ` (from the ${from})`}`;
  const crc = crcStart(serial);
  const prefix = tcp.length - packet.length;
  return [
    title,
    '',
    '```',
    ...notes.map(({ bytes, says }) => noteLines(bytes, says, width)),
    '',
    `serial    ${hex(serial.subarray(0, 1))}  ${hex(serial.subarray(1, crc))}  ${hex(serial.subarray(crc, -1))}  ${hex(serial.subarray(-1))}`,
    `datagram  ${hex(packet)}`,
    `TCP       ${hex(tcp.subarray(0, prefix))}  ${hex(tcp.subarray(prefix))}`,
    '```',
  ].join('\n');
}

const BYTES_A_LINE = 12;

/** A long field goes on in lines of its own; what it says stands behind its first bytes. */
function noteLines(bytes: Uint8Array, says: string, width: number): string {
  const lines = [`${hex(bytes.subarray(0, BYTES_A_LINE)).padEnd(width)} ${says}`];
  for (let at = BYTES_A_LINE; at < bytes.length; at += BYTES_A_LINE)
    lines.push(hex(bytes.subarray(at, at + BYTES_A_LINE)));
  return lines.join('\n');
}

/** Where the CRC begins in a frame: its two bytes, either of which may be escaped, are the last before the END. */
function crcStart(frame: Uint8Array): number {
  let at = frame.length - 1;
  for (let byte = 0; byte < 2; byte++) at -= frame[at - 2] === 0xdb ? 2 : 1;
  return at;
}

function hex(bytes: Uint8Array): string {
  return (Buffer.from(bytes).toString('hex').toUpperCase().match(/../g) ?? []).join(' ');
}

const SECTIONS = { overhead: overheadTable, examples: workedExamples };

/** PROTOCOL.md with everything between its `generated` markers made anew. */
export function withGenerated(text: string): string {
  return Object.entries(SECTIONS).reduce((result, [name, make]) => withSection(result, name, make()), text);
}
