import { expect, test } from 'vitest';
import type { IncomingMessage, RefusalReason, Upstream, UpstreamEvents } from '../../src/bridges/upstream.js';
import type { Router } from '../../src/router/router.js';
import type { Qos } from '../../src/wire/messages.js';
import { asking, Inbox } from '../router/inbox.js';
import { BridgedGateway } from '../support/bridged-gateway.js';
import { Random } from '../support/random.js';
import { forSeedsInTurn } from '../support/seeds.js';
import { SimulatedBroker } from '../support/simulated-broker/broker.js';
import { advance } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';

/** What a name may be made of: what is fine, what is reserved, and what no channel may have. */
const PIECES = ['a', 'b', '/', '/', 'ü', '😀', '$', '+', '#', '\0', '\ud800', ' ', '\n', '', 'x'.repeat(300)];
const LONG = 'a/'.repeat(40_000);

function randomName(random: Random): string {
  if (random.chance(0.02)) return LONG;
  return Array.from({ length: random.below(6) }, () => PIECES[random.below(PIECES.length)]).join('');
}

function randomMessage(random: Random): IncomingMessage {
  const properties = random.chance(0.3)
    ? { contentType: randomName(random), userProperties: [[randomName(random), ''] as const] }
    : undefined;
  return {
    name: random.chance(0.5) ? 'a/b' : randomName(random),
    payload: random.bytes(random.chance(0.1) ? 100_000 : random.below(20)),
    qos: random.below(3) as Qos,
    retain: random.chance(0.3),
    stored: random.chance(0.3),
    properties,
    via: random.chance(0.3) ? ['site', randomName(random)] : [randomName(random)],
    expiryMs: random.chance(0.2) ? random.below(3) - 1 : undefined,
  };
}

/** Whether that last value, or that there is none, is no news here. */
function isThere(router: Router, { name, payload }: IncomingMessage): boolean {
  const known = router.lastValue(name)?.payload ?? new Uint8Array();
  return !name.startsWith('$') && name !== '' && name !== LONG && Buffer.compare(known, payload) === 0;
}

test('whatever upstream says: nothing is thrown, every message is answered for once, and all are counted', () =>
  forSeedsInTurn(10, async (seed) => {
    const clock = new VirtualClock();
    const random = new Random(seed);
    const broker = new SimulatedBroker(clock, seed);
    let events: UpstreamEvents | undefined;
    const upstream: Upstream = {
      connect: (theirs) => {
        events = theirs;
        return Promise.resolve({
          server: 'hostile://',
          window: random.below(3) * random.below(1000),
          send: () => random.chance(0.5),
          publish: () => undefined,
          setInterests: () => undefined,
          close: () => Promise.resolve(),
        });
      },
    };
    const rules = [
      { pattern: '#', direction: 'in', qos: 2 },
      { pattern: 'up/#', direction: 'out', qos: 2 },
    ] as const;
    const limits = { router: { maxLastValues: 20, maxLastValueBytes: 200_000 } };
    const gateway = new BridgedGateway({
      clock,
      seed,
      limits,
      bridges: [{ broker, rules }],
      upstream: () => upstream,
    });
    const { router, counters } = gateway.simulation;
    const inbox = new Inbox();
    inbox.maxPayload = 50_000;
    router.subscribe(inbox, '#', asking(2));
    await advance(clock, 100);
    let answered = 0;
    let there = 0;
    const given = 500;
    for (let n = 0; n < given; n++) {
      let calls = 0;
      const message = randomMessage(random);
      if (message.stored && !message.via.includes('site') && isThere(router, message)) there++;
      events?.incoming(message, () => {
        calls++;
        answered++;
      });
      expect(calls).toBe(1);
      if (random.chance(0.2))
        router.emit('up/x', random.bytes(3), { qos: random.below(3) as Qos, retain: false });
      if (random.chance(0.1)) events?.settled(random.below(20) - 1);
      if (random.chance(0.1)) events?.refused(random.below(20), 'upstream_refused', randomName(random));
      if (random.chance(0.1)) events?.sendRefused(randomName(random), 'odd' as RefusalReason, 'odd');
      if (random.chance(0.1)) events?.interestRefused(randomName(random), randomName(random));
      if (random.chance(0.2)) await advance(clock, random.below(10));
    }
    expect(answered).toBe(given);
    const { drops } = gateway.bridge.report();
    const dropped = ['bad_channel', 'expired', 'not_allowed', 'limit_reached'].map(
      (reason) => drops[reason] ?? 0,
    );
    const known = ['loop', 'unwanted', 'in'].map((what) => counters.get(`bridges.up.${what}`));
    const total = [...dropped, ...known].reduce((sum, one) => sum + one, 0);
    expect(total + there).toBe(given);
    for (const line of inbox.taken) expect(line.startsWith('$')).toBe(false);
  }));
