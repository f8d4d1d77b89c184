import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Statistics, type StatisticsSnapshot } from '../../src/gateway/statistics.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { RawTcp } from '../support/raw-peers.js';
import { Simulation } from '../support/simulation.js';
import { SkippingClock } from '../support/skipping-clock.js';

const INTERVAL_MS = 3_600_000;

describe('statistics', () => {
  it('are a last value of JSON, renewed as configured', async () => {
    const clock = new SkippingClock();
    const { tcp, gateway } = await startGateway({ stats: { interval: '1h' } }, { clock });
    const client = await connectTo(tcp, { clock, keepAlive: 65_535 });
    const got: { snapshot: StatisticsSnapshot; retained: boolean }[] = [];
    await client.subscribe(
      '$slipway/stats',
      ({ text, retained }) => void got.push({ snapshot: JSON.parse(text), retained }),
    );
    await until(() => expect(got).toHaveLength(1));
    expect(got[0]).toMatchObject({
      retained: true,
      snapshot: { uptime_s: 0, sessions: { open: 0, held: 0 } },
    });

    await expect(client.emit('$slipway/x', '')).rejects.toThrow();
    clock.skip(INTERVAL_MS);
    await until(() => expect(got).toHaveLength(2));
    expect(got[1]).toMatchObject({
      retained: false,
      snapshot: {
        sessions: { open: 1, held: 0 },
        router: { subscriptions: 1, lastValues: 1 },
        counters: { 'session.refused.not_allowed': 1, 'tcp.accepted': 1 },
      },
    });
    expect(got[1]?.snapshot.uptime_s).toBeGreaterThanOrEqual(3600);
    const { counters } = gateway.statistics();
    expect(Object.keys(counters)).toEqual(Object.keys(counters).toSorted());
  });

  it('are not emitted when the interval is 0', async () => {
    const { gateway, tcp } = await startGateway({ stats: { interval: 0 } });
    const client = await connectTo(tcp);
    await client.subscribe('$slipway/stats', () => expect.unreachable());
    await client.emit('x', '');
    expect(gateway.statistics().router.lastValues).toBe(0);
    expect(gateway.statistics().sessions.open).toBe(1);
  });

  it('log every counter of something lost or refused, and none of what is well', () => {
    const bad = [
      'tcp.closed.too_slow',
      'tcp.unsent.bytes',
      'serial.unsent.bytes',
      'session.refused.queue_full',
    ];
    bad.push('session.drop.link_lost', 'session.peer_refused.queue_full', 'udp.socket_error.EACCES');
    const { counters, clock, router, commons } = new Simulation(1);
    for (const name of [
      ...bad,
      'router.refused.queue_full',
      'router.delivered',
      'serial.opened',
      // Why a port cannot be opened is said once, by whoever tries.
      'serial.open_failed',
      'session.resends',
    ])
      counters.add(name);
    const lines: string[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(line) });
    new Statistics(router, commons.places.residents, { reports: () => ({}) }, counters, clock, logger).stop();
    const { trouble } = JSON.parse(lines[0] as string) as { trouble: object };
    expect(Object.keys(trouble)).toEqual(bad.toSorted());
  });

  it('log what was lost or refused, each once, the rest at the end', async () => {
    const clock = new SkippingClock();
    const { tcp, log, gateway } = await startGateway({ stats: { interval: '1h' } }, { clock });
    const said = () => log.map(({ msg }) => msg).filter((msg) => msg.startsWith('lost or refused'));
    const peer = await RawTcp.open(tcp);
    await peer.introduce('clumsy');
    peer.sendPacket(Uint8Array.of(0x80));
    peer.sendPacket(Uint8Array.of(0x00));
    await until(() => expect(peer.all('refuse')).toHaveLength(2));
    expect(said()).toEqual([]);
    clock.skip(INTERVAL_MS);
    const first = 'lost or refused since last said: session.drop.malformed 2, session.refused.malformed 2';
    await until(() => expect(said()).toEqual([first]));
    clock.skip(INTERVAL_MS);
    peer.sendPacket(Uint8Array.of(0x80));
    await until(() => expect(peer.all('refuse')).toHaveLength(3));
    await gateway.stop();
    expect(said()).toEqual([
      first,
      'lost or refused since last said: session.drop.malformed 1, session.refused.malformed 1',
    ]);
  });
});
