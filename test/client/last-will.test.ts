import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/client/client.js';
import { connectTo, type RunningGateway, startGateway, until } from '../support/gateways.js';
import { Relay } from '../support/relay.js';
import { SkippingClock } from '../support/skipping-clock.js';

const WILL = { channel: 'gone', payload: 'probe' } as const;

interface Scene extends RunningGateway {
  readonly clock: SkippingClock;
  readonly relay: Relay;
  /** What somebody who listens to everything hears. */
  readonly heard: string[];
}

async function scene(): Promise<Scene> {
  const clock = new SkippingClock();
  const running = await startGateway({}, { clock });
  const heard: string[] = [];
  const listener = await connectTo(running.tcp);
  await listener.subscribe('#', ({ channel, text, qos }) => void heard.push(`${channel} ${text} ${qos}`));
  return { ...running, clock, relay: await Relay.to(running.tcp), heard };
}

/** The connection breaks, and the gateway has noticed. */
async function lose({ relay, gateway }: Scene): Promise<void> {
  relay.cut();
  await until(() => expect(gateway.statistics().sessions).toEqual({ open: 1, held: 1 }));
}

/** Everything that was due before is emitted and heard. */
async function settle({ gateway, heard }: Scene): Promise<void> {
  const mark = `mark ${heard.length}`;
  gateway.emit('mark', mark, { qos: 1 });
  await until(() => expect(heard.at(-1)).toBe(`mark ${mark} 1`));
  heard.pop();
}

describe('the will of a client', () => {
  it('is emitted when the gateway loses it and it is not back within 5 s', async () => {
    const at = await scene();
    await connectTo(at.relay.address, { will: WILL });
    await lose(at);
    at.clock.skip(4500);
    await settle(at);
    expect(at.heard).toEqual([]);
    at.clock.skip(500);
    await until(() => expect(at.heard).toEqual(['gone probe 1']));
  });

  it('is not emitted when it is back in time, nor when it is closed', async () => {
    const at = await scene();
    const client = await connectTo(at.relay.address, { will: WILL, identity: 'probe' });
    await lose(at);
    at.relay.mend();
    await until(() => expect(client.connected).toBe(true));
    at.clock.skip(10_000);
    await client.close();
    await until(() => expect(at.gateway.statistics().sessions.open).toBe(1));
    at.clock.skip(10_000);
    await settle(at);
    expect(at.heard).toEqual([]);
  });

  it('can be replaced and taken back', async () => {
    const at = await scene();
    const client = await connectTo(at.relay.address, { will: WILL });
    await client.setWill({ channel: 'later', payload: Uint8Array.of(0x41), qos: 2, retain: true });
    await lose(at);
    at.clock.skip(5000);
    await until(() => expect(at.heard).toEqual(['later A 2']));
    at.relay.mend();
    await until(() => expect(client.connected).toBe(true));
    await client.clearWill();
    await lose(at);
    at.clock.skip(5000);
    await settle(at);
    expect(at.heard).toEqual(['later A 2']);
  });

  it('is left again at a gateway that has forgotten it', async () => {
    const first = await startGateway();
    const at = await scene();
    const relay = await Relay.to(first.tcp);
    const client: Client = await connectTo(relay.address, { will: WILL });
    relay.cut();
    relay.target = at.tcp;
    relay.mend();
    await until(() => expect(client.connected).toBe(true));
    await client.emit('there', 'now');
    await lose({ ...at, relay });
    at.clock.skip(5000);
    await until(() => expect(at.heard).toEqual(['there now 1', 'gone probe 1']));
  });

  it('of an earlier run is not this run’s', async () => {
    const at = await scene();
    const first = await connectTo(at.relay.address, { will: WILL, identity: 'probe' });
    await first.close();
    const second = await connectTo(at.relay.address, { identity: 'probe' });
    await second.emit('there', 'now');
    await lose(at);
    at.clock.skip(5000);
    await settle(at);
    expect(at.heard).toEqual(['there now 1']);
  });

  it.each([
    ['bad_channel', { ...WILL, channel: 'a/+' }],
    ['invalid_option', { ...WILL, qos: 3 as 2 }],
    ['not_allowed', { ...WILL, channel: '$slipway/stats' }],
    ['too_large', { ...WILL, payload: new Uint8Array(1_100_000) }],
  ])('that cannot be left fails the connection: %s', async (code, will) => {
    const { tcp, gateway } = await startGateway();
    await expect(connectTo(tcp, { will })).rejects.toMatchObject({ code });
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 0, held: 0 }));
    const client = await connectTo(tcp);
    await expect(client.setWill(will)).rejects.toMatchObject({ code });
  });

  it('that a forgetful gateway refuses is told', async () => {
    const first = await startGateway();
    const second = await startGateway({ limits: { will_bytes: 4 } });
    const relay = await Relay.to(first.tcp);
    const client = await connectTo(relay.address, { will: WILL });
    const told: string[] = [];
    client.on('refused', ({ code }) => void told.push(code));
    relay.cut();
    relay.target = second.tcp;
    relay.mend();
    await until(() => expect(told).toEqual(['limit_reached']));
  });
});
