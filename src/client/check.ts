import { suggestion } from '../config/nearest.js';
import { SlipwayError } from '../errors.js';
import type { Qos } from '../wire/messages.js';
import type { LastWillOptions, TlsOptions } from './options.js';

/**
 * For what callers without types may get wrong, and for ranges that types do not tell.
 * @throws SlipwayError `invalid_option` unless `value` is a whole number from `least` to `most`
 */
export function checkNumber(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw invalid(`${name} is ${String(value)}: it must be a whole number from ${least} to ${most}`);
}

function invalid(message: string): SlipwayError {
  return new SlipwayError('invalid_option', message);
}

/**
 * @param what How to name them in a message, `connect`.
 * @throws SlipwayError `invalid_option` unless they are an object that has no other keys than these
 */
export function checkKeys(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw invalid(`${what} got ${String(options)}: its options must be an object`);
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw invalid(
      `${what} has no option ${unknown}${suggestion(unknown, known)}: it takes ${known.join(', ')}`,
    );
}

const WILL_KEYS = ['channel', 'payload', 'qos', 'retain'];

/** @throws SlipwayError `invalid_option` unless it is an object with a channel and a payload, and has no other keys than a will's */
export function checkWill(will: unknown): asserts will is LastWillOptions {
  if (typeof will !== 'object' || will === null)
    throw invalid(
      `will is ${String(will)}: it must be an object, like { channel: 'alarms/pump', payload: 'gone' }`,
    );
  const unknown = Object.keys(will).find((key) => !WILL_KEYS.includes(key));
  if (unknown !== undefined)
    throw invalid(
      `will.${unknown} is not known${suggestion(unknown, WILL_KEYS)}: a will has ${WILL_KEYS.join(', ')}`,
    );
  const { channel, payload } = will as Partial<Record<string, unknown>>;
  if (typeof channel !== 'string') throw invalid(`will.channel is ${String(channel)}: it must be text`);
  if (typeof payload !== 'string' && !(payload instanceof Uint8Array))
    throw invalid(`will.payload is ${String(payload)}: it must be text or a Uint8Array`);
}

/** @throws SlipwayError `invalid_option` unless it is an object of certificates and the like, a key with each certificate */
export function checkTls(tls: TlsOptions): void {
  checkKeys('tls', tls, ['ca', 'cert', 'key', 'servername']);
  for (const [name, value] of Object.entries(tls)) {
    const good = typeof value === 'string' || (name !== 'servername' && value instanceof Uint8Array);
    if (value !== undefined && !good) throw invalid(`tls.${name} is of another type: it must be text (PEM)`);
  }
  if ((tls.cert === undefined) !== (tls.key === undefined))
    throw invalid('tls.cert and tls.key belong together: give both, or neither');
}

/** @throws SlipwayError `invalid_option` unless it is 0, 1 or 2 */
export function checkQos(qos: Qos): void {
  checkNumber('qos', qos, 0, 2);
}
