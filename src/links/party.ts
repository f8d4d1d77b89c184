import { isIPv6 } from 'node:net';

/**
 * What of a network address stands for one party when limits are counted: an IPv4 address, or the /64 of an IPv6 one,
 * because whoever has one address there has them all.
 */
export function partyOf(host: string): string {
  if (!isIPv6(host)) return host;
  const [address = ''] = host.split('%');
  const [left, right] = address.split('::') as [string, string | undefined];
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const zeros = Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0');
  const groups = [...head, ...zeros, ...tail]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16));
  return `${groups.join(':')}::/64`;
}
