import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { Counters } from '../../src/counters.js';
import { Presence, RETURN_MS } from '../../src/gateway/presence.js';
import type { Channel } from '../../src/router/channel.js';
import { Router } from '../../src/router/router.js';
import type { Subscriber } from '../../src/router/subscriber.js';
import type { DeviceState } from '../../src/wire/device-states.js';
import { VirtualClock } from '../support/virtual-clock.js';

class Watcher implements Subscriber {
  readonly seen: string[] = [];
  full = false;

  hasRoom(): boolean {
    return !this.full;
  }

  deliver({ name }: Channel, payload: Uint8Array, qos: number): undefined {
    this.seen.push(`${name}=${Buffer.from(payload).toString()}@${qos}`);
  }
}

function start() {
  const limits = {
    maxChannels: 100,
    maxSubscriptions: 100,
    maxSubscriptionsPerSubscriber: 100,
    maxLastValues: 100,
    maxLastValueBytes: 10_000,
  };
  const clock = new VirtualClock();
  const router = new Router(limits, new Counters(), clock);
  const presence = new Presence(router, clock, pino({ level: 'silent' }));
  const watch = (): Watcher => {
    const watcher = new Watcher();
    router.subscribe(watcher, '$slipway/devices/+/state', { qos: 1, noLocal: false, noLastValue: false });
    return watcher;
  };
  return { clock, router, presence, watch };
}

describe('presence (PROTOCOL.md §6.6)', () => {
  test('is told to those who subscribed, and to those who do later', () => {
    const { presence, watch } = start();
    const before = watch();
    presence.announce('uno', 'online');
    presence.announce('uno', 'asleep');
    expect(before.seen).toEqual(['online', 'asleep'].map((state) => `$slipway/devices/uno/state=${state}@1`));
    expect(watch().seen).toEqual(['$slipway/devices/uno/state=asleep@1']);
  });

  test('is told to all others when one watcher takes nothing', () => {
    const { presence, watch } = start();
    const [full, other] = [watch(), watch()];
    full.full = true;
    presence.announce('uno', 'online');
    expect(other.seen).toEqual(['$slipway/devices/uno/state=online@0']);
  });

  test('that was remembered is corrected once devices have had the time to come back', () => {
    const { clock, presence, watch } = start();
    for (const [identity, state] of [
      ['back', 'online'],
      ['sleeper', 'asleep'],
      ['gone', 'online'],
      ['gone-asleep', 'asleep'],
      ['gone-before', 'offline'],
    ] as const)
      presence.announce(identity, state);
    const now: Record<string, DeviceState> = { back: 'online', sleeper: 'asleep' };
    presence.correctLater((identity) => now[identity] ?? 'offline');
    const watcher = watch();
    watcher.seen.length = 0;
    clock.advance(RETURN_MS - 1);
    expect(watcher.seen).toEqual([]);
    clock.advance(1);
    expect(watcher.seen.sort()).toEqual(
      ['gone-asleep', 'gone'].map((identity) => `$slipway/devices/${identity}/state=offline@1`),
    );
  });

  test('is left alone when the gateway stops before', () => {
    const { clock, presence, watch } = start();
    presence.announce('gone', 'online');
    presence.correctLater(() => 'offline')();
    clock.advance(RETURN_MS);
    expect(watch().seen).toEqual(['$slipway/devices/gone/state=online@1']);
  });
});
