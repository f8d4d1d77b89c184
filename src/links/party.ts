import { isIPv4, isIPv6 } from 'node:net';
import { plainHost } from './endpoint.js';

const LOOPBACK_IPV6 = '::1';

/**
 * What of a network address stands for one party when limits are counted: an IPv4 address, or the /64 of an IPv6 one,
 * because whoever has one address there has them all.
 */
export function partyOf(host: string): string {
  const plain = plainHost(host);
  // The loopback address is no part of a network.
  if (!isIPv6(plain) || plain === LOOPBACK_IPV6) return plain;
  const [address = ''] = plain.split('%');
  const [left, right] = address.split('::') as [string, string | undefined];
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const zeros = Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0');
  const groups = [...head, ...zeros, ...tail]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16));
  return `${groups.join(':')}::/64`;
}

/** Whether that party is a program on this machine: the system takes no packets with such an address from outside. */
export function isLoopback(party: string): boolean {
  return party === LOOPBACK_IPV6 || (isIPv4(party) && party.startsWith('127.'));
}
