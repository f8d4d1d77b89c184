import { SlipwayError } from '../errors.js';
import type { Qos } from '../wire/messages.js';

/**
 * For what callers without types may get wrong, and for ranges that types do not tell.
 * @throws SlipwayError `invalid_option` unless `value` is a whole number from `least` to `most`
 */
export function checkNumber(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const message = `${name} is ${String(value)}: it must be a whole number from ${least} to ${most}`;
  throw new SlipwayError('invalid_option', message);
}

/** @throws SlipwayError `invalid_option` unless it is 0, 1 or 2 */
export function checkQos(qos: Qos): void {
  checkNumber('qos', qos, 0, 2);
}
