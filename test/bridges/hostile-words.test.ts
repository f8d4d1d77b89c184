import { expect, test } from 'vitest';
import type {
  IncomingMessage,
  OutgoingMessage,
  QueuedMessage,
  Upstream,
  UpstreamEvents,
} from '../../src/bridges/upstream.js';
import { BridgedGateway } from '../support/bridged-gateway.js';
import { Disk } from '../support/memory-backend.js';
import { SimulatedBroker } from '../support/simulated-broker/broker.js';
import { advance } from '../support/turns.js';
import { VirtualClock } from '../support/virtual-clock.js';

/** A gateway that passes on by `b` what comes by `a`, and all that it sends there. */
async function rig() {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker(clock, 1);
  const disk = new Disk();
  const events: UpstreamEvents[] = [];
  const sent: (OutgoingMessage | QueuedMessage)[] = [];
  const upstream: Upstream = {
    connect: (theirs) => {
      events.push(theirs);
      return Promise.resolve({
        server: 'hostile://',
        window: 1000,
        send: (message) => sent.push(message) > 0,
        publish: (message) => void sent.push(message),
        setInterests: () => undefined,
        close: () => Promise.resolve(),
      });
    },
  };
  const gateway = new BridgedGateway({
    clock,
    seed: 1,
    disk,
    bridges: [
      { broker, name: 'a', rules: [{ pattern: '#', direction: 'in', qos: 2 }] },
      { broker, name: 'b', rules: [{ pattern: '#', direction: 'out', qos: 2 }] },
    ],
    upstream: () => upstream,
  });
  await advance(clock, 100);
  const give = (message: Partial<IncomingMessage>) =>
    events[0]?.incoming(
      {
        name: 'x',
        payload: Buffer.from('1'),
        qos: 1,
        retain: true,
        stored: false,
        properties: undefined,
        via: ['there'],
        expiryMs: undefined,
        ...message,
      },
      () => {},
    );
  return { clock, gateway, disk, sent, give };
}

test.each([
  ['thousands of names', Array.from({ length: 20_000 }, (_, n) => `site${n}`)],
  ['a name as long as a book', ['x'.repeat(200_000)]],
  ['lines of a header', ['there\r\nNats-Rollup: all', 'there Nats']],
  ['other alphabets', ['\u0100\ud800']],
])('%s for the gateways that a message has passed', async (_, via) => {
  const { clock, gateway, sent, disk, give } = await rig();
  for (const qos of [0, 1, 2] as const) give({ qos, via: ['good', ...via] });
  await advance(clock, 2000);
  for (const message of sent.filter(({ name }) => name === 'x')) {
    expect(message.via.at(-1)).toBe('site');
    for (const name of message.via) expect(name).toMatch(/^[A-Za-z0-9_-]{1,63}$/);
    expect(message.via.length).toBeLessThan(100);
  }
  expect(() => disk.read()).not.toThrow();
  const { drops } = gateway.bridge.report();
  expect((drops.too_far ?? 0) + sent.filter(({ name }) => name === 'x').length).toBe(3);
});

test.each([Number.POSITIVE_INFINITY, 1e300, Number.MAX_SAFE_INTEGER])(
  'a message that lives for %d ms',
  async (expiryMs) => {
    const { clock, disk, give } = await rig();
    give({ expiryMs });
    await advance(clock, 2000);
    // Throws where a record cannot be read again: then the whole store would be set aside.
    expect(disk.read().lastValues.some(({ name }) => name === 'x')).toBe(true);
  },
);
