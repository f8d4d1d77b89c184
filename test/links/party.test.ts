import { describe, expect, it } from 'vitest';
import { isLoopback, partyOf } from '../../src/links/party.js';
import { Tally } from '../../src/tally.js';

describe('the party of an address', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['::1', '::1'],
    ['::2', '0:0:0:0::/64'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1:2:3::4:5:6:7', '1:2:3:0::/64'],
    ['unknown', 'unknown'],
  ])('%s is %s', (host, party) => expect(partyOf(host)).toBe(party));
});

it.each([
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['::2', false],
  ['::', false],
  ['192.0.2.7', false],
  ['127.example.org', false],
  ['::ffff:192.0.2.7', false],
])('%s is on this machine: %s', (host, loopback) => expect(isLoopback(partyOf(host))).toBe(loopback));

it('a tally counts up and down, and forgets who has none', () => {
  const tally = new Tally();
  tally.add('a');
  tally.add('a');
  tally.add('b');
  tally.remove('b');
  tally.remove('b');
  expect([tally.of('a'), tally.of('b')]).toEqual([2, 0]);
  tally.remove('a');
  expect(tally.of('a')).toBe(1);
  tally.add('a', 10);
  tally.remove('a', 4);
  expect(tally.of('a')).toBe(7);
});
