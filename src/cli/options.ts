import { InvalidArgumentError } from 'commander';
import type { Qos } from '../wire/messages.js';

export function qosLevel(text: string): Qos {
  if (!/^[012]$/.test(text)) throw new InvalidArgumentError('It must be 0, 1 or 2.');
  return Number(text) as Qos;
}

export function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1.');
  return Number(text);
}

export function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535 || Number(text) === 0) {
    throw new InvalidArgumentError('It must be a port from 1 to 65535.');
  }
  return Number(text);
}
