import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/client/client.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { Relay } from '../support/relay.js';

/** What a client may have waiting at QoS 0, bytes. */
const MOST_BYTES = 16 * 1_048_576;
const LARGE = Buffer.alloc(60_000);

/** A client whose connection leads over a relay. */
async function relayed(): Promise<{ client: Client; relay: Relay }> {
  const { tcp } = await startGateway();
  const relay = await Relay.to(tcp);
  return { client: await connectTo(relay.address), relay };
}

/** Emits at QoS 0 until an emit has to wait. Returns what that comes to. */
async function emitUntilOneWaits(client: Client): Promise<() => Promise<void>> {
  for (;;) {
    let done = false;
    const emitted = client.emit('x', LARGE, { qos: 0 }).finally(() => {
      done = true;
    });
    // Whoever need not wait is told before anything else happens.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    if (!done) return () => emitted;
  }
}

describe('a client that emits at QoS 0 faster than it is read', () => {
  it('is held up by its awaits, and loses nothing', async () => {
    const { tcp, count } = await startGateway({ stats: { interval: 0 } });
    const client = await connectTo(tcp);
    const before = count('router.emit');
    const emits = Math.ceil((3 * MOST_BYTES) / LARGE.length);
    for (let n = 0; n < emits; n++) await client.emit('x', LARGE, { qos: 0 });
    await client.emit('x', '');
    expect(count('router.emit') - before).toBe(emits + 1);
  });

  it('is let go when the connection is lost, and when it is closed', async () => {
    const { client, relay } = await relayed();
    relay.freeze();
    const lost = await emitUntilOneWaits(client);
    relay.cut();
    await lost();
    await until(() => expect(client.connected).toBe(false));
    await expect(client.emit('x', '', { qos: 0 })).rejects.toMatchObject({ code: 'not_connected' });

    relay.mend();
    await until(() => expect(client.connected).toBe(true));
    relay.freeze();
    const closed = await emitUntilOneWaits(client);
    await client.close();
    await closed();
  });

  it('is told when it does not wait and there is no room', async () => {
    const { client, relay } = await relayed();
    relay.freeze();
    const outcomes = new Set<string>();
    const emits: Promise<unknown>[] = [];
    for (let bytes = 0; bytes <= MOST_BYTES + LARGE.length; bytes += LARGE.length) {
      const note = (outcome: string) => () => outcomes.add(outcome);
      emits.push(client.emit('x', LARGE, { qos: 0 }).then(note('emitted'), ({ code }) => note(code)()));
    }
    relay.cut();
    await Promise.all(emits);
    expect([...outcomes].toSorted()).toEqual(['emitted', 'queue_full']);
  });
});
