import type { Msg } from '@nats-io/transport-node';
import type { Clock } from '../../clock.js';
import type { IncomingMessage } from '../upstream.js';
import { headersOf, readHeaders } from './headers.js';
import type { StreamMessage } from './pull-consumer.js';
import { keyToName, toName } from './subjects.js';

export interface ReaderContext {
  readonly clock: Clock;
  /** Counts what cannot be given to the bridge, by reason. */
  readonly drop: (reason: 'bad_name' | 'expired') => void;
}

/** What came without a stream: at most once, whatever it was sent as. */
export function readLive(message: Msg, { drop }: ReaderContext): IncomingMessage | undefined {
  const name = nameOf(message.subject, drop);
  if (name === undefined) return undefined;
  const { via, retain, expiryMs, properties } = readHeaders(message);
  return { name, payload: message.data, qos: 0, retain, expiryMs, properties, via, stored: false };
}

/** What came from a stream. Whoever is no gateway and says nothing of a QoS meant it to last: that is what streams are for. */
export function readStored(
  { message, time }: StreamMessage,
  context: ReaderContext,
): IncomingMessage | undefined {
  const name = nameOf(message.subject, context.drop);
  return name === undefined ? undefined : read(message, name, time, context);
}

/** A last value from the bucket whose subjects begin with `prefix`; with no payload when it was cleared. */
export function readLastValue(
  { message, time }: StreamMessage,
  prefix: string,
  context: ReaderContext,
): IncomingMessage | undefined {
  const name = keyToName(message.subject.slice(prefix.length));
  if (name === undefined) return undefined; // Somebody else keeps something there.
  const value = read(message, name, time, context);
  if (value === undefined) return undefined;
  const cleared = headersOf(message)?.has('KV-Operation') === true;
  return { ...value, ...(cleared && { payload: new Uint8Array(0) }), retain: true, stored: true };
}

function read(
  message: Msg,
  name: string,
  time: number,
  { clock, drop }: ReaderContext,
): IncomingMessage | undefined {
  const headers = readHeaders(message);
  const { via, qos = 1, retain, properties } = headers;
  let { expiryMs } = headers;
  if (expiryMs !== undefined) {
    expiryMs -= Math.max(0, clock.wallTime() - time);
    if (expiryMs <= 0) {
      drop('expired');
      return undefined;
    }
  }
  return { name, payload: message.data, qos, retain, expiryMs, properties, via, stored: false };
}

/** What belongs to NATS itself is no message, and is heard only because a wildcard stands for it, too. */
const NO_MESSAGE = /^(\$|_INBOX\.)/;

function nameOf(subject: string, drop: ReaderContext['drop']): string | undefined {
  const name = toName(subject);
  if (name === undefined && !NO_MESSAGE.test(subject)) drop('bad_name');
  return name;
}
