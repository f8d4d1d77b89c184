import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import type { MessageProperties } from '../../router/message.js';
import type { Qos } from '../../wire/messages.js';
import type { OutgoingMessage, QueuedMessage } from '../upstream.js';

/** The gateways that a message passed, first one first, with spaces between. */
const VIA = 'Slipway-Via';
/** 1 or 2; what has passed a gateway and lacks it is of QoS 0. */
const QOS = 'Slipway-Qos';
/** `1`: it is to be kept as the last value, or with no payload clears that. */
const RETAIN = 'Slipway-Retain';
/** How long it may be passed on from when it was sent, ms. */
const EXPIRY = 'Slipway-Expiry';
/** The properties of MQTT 5, as JSON. */
const PROPERTIES = 'Slipway-Properties';

/** As the clients of NATS write it where a key of a bucket is deleted. */
const CLEAR = 'KV-Operation: DEL\r\n';

const encoder = new TextEncoder();

/** Headers as they go over the wire. nats.js asks for nothing else, and builds its own anew for each message. */
class EncodedHeaders {
  readonly bytes: Uint8Array;

  constructor(text: string) {
    this.bytes = encoder.encode(text);
  }

  encode(): Uint8Array {
    return this.bytes;
  }
}

export interface WrittenHeaders {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** The same for the library. */
  readonly headers: MsgHdrs;
}

/** What headers say of a message. */
type Said = Pick<OutgoingMessage, 'via' | 'qos' | 'retain' | 'expiresAt' | 'properties'>;

/** Writes the headers of what leaves. */
export class HeaderWriter {
  readonly #instance: string;
  /** As nearly all messages have them: of the same way here, with nothing else to say. */
  #via: readonly string[] = [];
  #plain = '';
  #written: WrittenHeaders | undefined;

  /** `instance`: names this bridge in the ids of messages, by which upstream knows one that is sent again. */
  constructor(instance: string) {
    this.#instance = instance;
  }

  /** For a message that is sent once. */
  once(message: Said, now: number): WrittenHeaders {
    const fields = this.#fieldsOf(message, now);
    if (fields !== this.#plain) return written(fields);
    this.#written ??= written(fields);
    return this.#written;
  }

  /** For a message that may be sent again, until it is acknowledged. */
  numbered(message: QueuedMessage, now: number): WrittenHeaders {
    return written(this.#id(message) + this.#fieldsOf(message, now));
  }

  /** The same for where the message is kept as the last value, or clears that. */
  lastValue(message: OutgoingMessage | QueuedMessage, now: number): WrittenHeaders {
    const id = 'record' in message ? this.#id(message) : '';
    const clear = message.payload.length === 0 ? CLEAR : '';
    return written(id + this.#fieldsOf(message, now) + clear);
  }

  #id({ record }: QueuedMessage): string {
    return `Nats-Msg-Id: ${this.#instance}-${record.toString(36)}\r\n`;
  }

  #fieldsOf({ via, qos, retain, expiresAt, properties }: Said, now: number): string {
    if (!isSame(via, this.#via)) {
      this.#via = via;
      this.#plain = `${VIA}: ${via.join(' ')}\r\n`;
      this.#written = undefined;
    }
    let fields = this.#plain;
    if (qos > 0) fields += `${QOS}: ${qos}\r\n`;
    if (retain) fields += `${RETAIN}: 1\r\n`;
    if (expiresAt !== undefined) fields += `${EXPIRY}: ${Math.max(1, Math.ceil(expiresAt - now))}\r\n`;
    if (properties !== undefined) fields += `${PROPERTIES}: ${writeProperties(properties)}\r\n`;
    return fields;
  }
}

function written(fields: string): WrittenHeaders {
  const headers = new EncodedHeaders(`NATS/1.0\r\n${fields}\r\n`);
  const { bytes } = headers;
  return { bytes, length: bytes.length, headers: headers as unknown as MsgHdrs };
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((name, index) => name === b[index]));
}

/** JSON has neither line ends nor spaces around it, which is all that headers cannot carry. */
function writeProperties({ correlationData, ...rest }: MessageProperties): string {
  const correlation = correlationData && Buffer.from(correlationData).toString('base64');
  return JSON.stringify({ ...rest, ...(correlation !== undefined && { correlationData: correlation }) });
}

/** What the headers of a message say of it. */
export interface ReadHeaders {
  readonly via: readonly string[];
  /** Undefined when they do not say it: it did not come from a gateway. */
  readonly qos: Qos | undefined;
  readonly retain: boolean;
  readonly expiryMs: number | undefined;
  readonly properties: MessageProperties | undefined;
}

const NONE: ReadHeaders = {
  via: [],
  qos: undefined,
  retain: false,
  expiryMs: undefined,
  properties: undefined,
};

/** The headers of a message; undefined, too, where the library throws at what somebody has written there. */
export function headersOf(message: Msg): MsgHdrs | undefined {
  try {
    return message.headers;
  } catch {
    return undefined;
  }
}

/** Anybody may have written them: what makes no sense counts as not there. */
export function readHeaders(message: Msg): ReadHeaders {
  const headers = headersOf(message);
  if (headers === undefined) return NONE;
  const via = headers.get(VIA);
  const expiry = Number(headers.get(EXPIRY) || Number.NaN);
  return {
    via: via === '' ? [] : via.split(' '),
    qos: qosOf(headers.get(QOS), via),
    retain: headers.get(RETAIN) === '1',
    expiryMs: expiry > 0 ? expiry : undefined,
    properties: readProperties(headers.get(PROPERTIES)),
  };
}

function qosOf(qos: string, via: string): Qos | undefined {
  if (qos === '1') return 1;
  if (qos === '2') return 2;
  return via === '' ? undefined : 0;
}

function readProperties(json: string): MessageProperties | undefined {
  if (json === '') return undefined;
  let read: unknown;
  try {
    read = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof read !== 'object' || read === null) return undefined;
  const { payloadFormat, contentType, responseTopic, correlationData, userProperties } = read as Readonly<
    Record<keyof MessageProperties, unknown>
  >;
  return {
    ...((payloadFormat === 0 || payloadFormat === 1) && { payloadFormat }),
    ...(typeof contentType === 'string' && { contentType }),
    ...(typeof responseTopic === 'string' && { responseTopic }),
    ...(typeof correlationData === 'string' && { correlationData: Buffer.from(correlationData, 'base64') }),
    ...(Array.isArray(userProperties) && { userProperties: userProperties.filter(isPair) }),
  };
}

function isPair(read: unknown): read is readonly [string, string] {
  return Array.isArray(read) && read.length === 2 && read.every((each) => typeof each === 'string');
}
