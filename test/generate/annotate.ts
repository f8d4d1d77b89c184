import { HEAD, headOf } from '../../src/wire/head.js';
import type { Message } from '../../src/wire/messages.js';
import { reasonOfCode } from '../../src/wire/reasons.js';
import { messageSize } from '../../src/wire/size.js';
import { writeBody } from '../../src/wire/write-body.js';
import { Writer } from '../../src/wire/writer.js';

/** Some bytes of a packet and what they say. */
export interface Note {
  readonly bytes: Uint8Array;
  readonly says: string;
}

/** The fields of a packet in order; their bytes together are the packet. */
export function annotate(messages: readonly Message[]): Note[] {
  return messages.flatMap((message, index) => {
    const size = messageSize(message);
    const last = index === messages.length - 1;
    const out = new NotingWriter(message);
    out.reserve(size + 4);
    out.u8(headOf(message) | (last ? 0 : HEAD.LENGTH), 'head');
    if (!last) out.varint(size - 1, 'length');
    writeBody(out, message);
    return out.notes;
  });
}

/** Notes each field as it is written, so that the examples show what the encoder does and not what we think it does. */
class NotingWriter extends Writer {
  readonly notes: Note[] = [];
  readonly #message: Message;

  constructor(message: Message) {
    super();
    this.#message = message;
  }

  override u8(value: number, field: string): void {
    super.u8(value, field);
    this.#note(1, `${snake(field)}${this.#meaning(value, field)}`);
  }

  override u16(value: number, field: string): void {
    super.u16(value, field);
    this.#note(2, `${snake(field)} ${value}${field === 'keepAlive' ? ' s' : ''}`);
  }

  override u32(value: number, field: string, min?: number): void {
    super.u32(value, field, min);
    this.#note(4, `${field} 0x${value.toString(16).padStart(8, '0')}`);
  }

  override u48(value: number, field: string): void {
    super.u48(value, field);
    this.#note(6, `${field} ${value} ms: ${new Date(value).toISOString()}`);
  }

  override varint(value: number, field: string, min?: number, max?: number): void {
    const before = this.at;
    super.varint(value, field, min, max);
    this.#note(this.at - before, `${snake(field)} ${value}${field === 'expiry' ? ' s' : ''}`);
  }

  override raw(value: Uint8Array): void {
    super.raw(value);
    if (value.length > 0) this.#note(value.length, this.#bytesMeaning(value));
  }

  override text(value: string, minBytes: number, maxBytes: number, field: string): void {
    super.text(value, minBytes, maxBytes, field);
    this.#note(Buffer.byteLength(value), `${bare(field)} "${value}"`);
  }

  override shortText(value: string, minBytes: number, maxBytes: number, field: string): void {
    super.shortText(value, minBytes, maxBytes, field);
    const length = Buffer.byteLength(value);
    const end = this.at;
    this.#noteAt(end - length - 1, end - length, `length of the ${bare(field)}`);
    if (length > 0) this.#noteAt(end - length, end, `${bare(field)} "${value}"`);
  }

  #note(bytes: number, says: string): void {
    this.#noteAt(this.at - bytes, this.at, says);
  }

  #noteAt(from: number, to: number, says: string): void {
    this.notes.push({ bytes: this.bytes.subarray(from, to), says });
  }

  #meaning(value: number, field: string): string {
    const message = this.#message;
    if (field === 'head' && this.at === 1) return `: ${headMeaning(value, message)}`;
    if (field === 'head') return ' of what is refused';
    if (field === 'reason') return ` ${value}: ${reasonOfCode(value)}`;
    if (field === 'flags' || field === 'options') return `: ${flagsMeaning(message)}`;
    return ` ${value}`;
  }

  #bytesMeaning(value: Uint8Array): string {
    const message = this.#message;
    const [field = ''] = Object.entries(message).find(([, each]) => each === value) ?? [];
    if (message.type === 'ack') return `bitmap: ${heldMeaning(message.next, value)} held`;
    const text = Buffer.from(value).toString('latin1');
    return /^[ -~]+$/.test(text) && field === 'payload' ? `payload "${text}"` : field;
  }
}

function headMeaning(head: number, message: Message): string {
  const bits = (head & HEAD.LENGTH) !== 0 ? ['L'] : [];
  if (message.type !== 'emit') return [message.type.toUpperCase(), ...bits].join(', ');
  if (message.retain) bits.push('R');
  if (message.name !== undefined) bits.push('N');
  if (message.gatewayId === true) bits.push('G');
  return ['emit', `QoS ${message.qos}`, ...bits].join(', ');
}

function flagsMeaning(message: Message): string {
  const set = Object.entries(message).filter(([, value]) => value === true);
  const names = set.map(([name]) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`));
  if ('qos' in message) names.unshift(`QoS ${message.qos}`);
  return names.join(', ') || 'none';
}

/** §5.3: bit i is `next` + 1 + i. */
function heldMeaning(next: number, bitmap: Uint8Array): string {
  const held: number[] = [];
  for (let i = 0; i < bitmap.length * 8; i++) {
    if (((bitmap[i >> 3] as number) >> (i & 7)) & 1) held.push((next + 1 + i) & 0xffff);
  }
  return held.length === 0 ? 'none' : held.join(', ');
}

function snake(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function bare(field: string): string {
  return field.replace(/^an? /, '');
}
