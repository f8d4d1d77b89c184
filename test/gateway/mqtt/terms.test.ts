import { describe, expect, it } from 'vitest';
import { Terms } from '../../../src/gateway/mqtt/terms.js';
import type { Connect } from '../../../src/mqtt/wire/packets.js';

const LIMITS = { maxPacket: 1000, receiveMaximum: 100_000, expiryMs: 60_000, keepAliveMs: 30_000 };

const asked = (more: Partial<Connect> = {}): Connect => ({
  type: 'connect',
  level: 5,
  bridge: false,
  cleanStart: true,
  keepAlive: 10,
  clientId: 'c',
  will: undefined,
  username: undefined,
  password: undefined,
  properties: {},
  ...more,
});

describe('what a client is granted', () => {
  const terms = new Terms(LIMITS);

  it.each([
    ['none', asked(), 0],
    ['less than there is', asked({ properties: { sessionExpiry: 5 } }), 5000],
    ['more than there is', asked({ properties: { sessionExpiry: 61 } }), 60_000],
    ['for ever', asked({ properties: { sessionExpiry: 0xffff_ffff } }), 60_000],
    ['a clean session of 3.1.1', asked({ level: 4 }), 0],
    ['a session of 3.1.1 that stays', asked({ level: 4, cleanStart: false }), 60_000],
  ])('of the expiry, when it asks for %s', (_, connect, ms) => {
    expect(terms.expiryOf(connect)).toBe(ms);
  });

  it.each([
    [asked({ keepAlive: 10 }), 10],
    [asked({ keepAlive: 31 }), 30],
    [asked({ keepAlive: 0 }), 30],
    [asked({ keepAlive: 31, level: 4 }), 31],
  ])('of the keep-alive (%#)', (connect, seconds) => {
    expect(terms.keepAliveOf(connect)).toBe(seconds);
    if (connect.level === 5)
      expect(new Terms({ ...LIMITS, keepAliveMs: 0 }).keepAliveOf(connect)).toBe(connect.keepAlive);
  });

  it('is told where it is not what was asked for', () => {
    const limits = { receiveMaximum: 0xffff, maximumPacketSize: 1000, topicAliasMaximum: 64 };
    const session = { clientId: 'auto', expiryMs: 60_000 };
    const told = (connect: Connect) => terms.connack(connect, session, true);
    expect(told(asked({ properties: { sessionExpiry: 60 } }))).toEqual({
      type: 'connack',
      sessionPresent: true,
      code: 0,
      properties: limits,
    });
    expect(told(asked({ clientId: '', keepAlive: 0 })).properties).toEqual({
      ...limits,
      sessionExpiry: 60,
      assignedClientId: 'auto',
      serverKeepAlive: 30,
    });
    expect(told(asked({ level: 4, clientId: '', keepAlive: 0 })).properties).toEqual({});
  });
});
