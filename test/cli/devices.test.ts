import { describe, expect, it } from 'vitest';
import { freePort, startGateway, until } from '../support/gateways.js';
import { slipway } from '../support/programs.js';
import { RawTcp, RawUdp } from '../support/raw-peers.js';

describe('slipway devices', () => {
  it('lists every device and whether it is there', async () => {
    const { tcp, udp, gateway } = await startGateway();
    const [there, sleeper, gone, program] = await Promise.all([
      RawUdp.open(udp),
      RawUdp.open(udp),
      RawTcp.open(tcp),
      RawTcp.open(tcp),
    ]);
    await there.introduce('uno-3');
    const { nextIn } = await sleeper.introduce('battery-sensor');
    sleeper.send({ type: 'sleep', seq: nextIn, seconds: 3600 });
    await gone.introduce('attic');
    gone.socket.destroy();
    await program.introduce('dashboard', { program: true });
    await until(() => expect(gateway.statistics().sessions).toEqual({ open: 3, held: 1 }));
    await until(() => expect(sleeper.all('ack').length).toBeGreaterThan(1));

    const text = slipway(['devices', '--port', String(tcp.port)]);
    expect(await text.ended).toEqual({ code: 0, signal: null });
    expect(text.lines).toEqual([
      'attic           offline',
      'battery-sensor  asleep',
      'uno-3           online',
    ]);
    const json = slipway(['devices', '--json', '--port', String(tcp.port)]);
    await json.ended;
    expect(JSON.parse(json.stdout)).toEqual([
      { identity: 'attic', state: 'offline' },
      { identity: 'battery-sensor', state: 'asleep' },
      { identity: 'uno-3', state: 'online' },
    ]);
  });

  it('lists more than a window of them', async () => {
    const { tcp, gateway } = await startGateway();
    const many = Array.from({ length: 5000 }, (_, n) => `device-${n}`);
    for (const identity of many)
      gateway.emit(`$slipway/devices/${identity}/state`, 'offline', { qos: 1, retain: true });
    const json = slipway(['devices', '--json', '--port', String(tcp.port)]);
    await json.ended;
    const listed = (JSON.parse(json.stdout) as { identity: string }[]).map(({ identity }) => identity);
    expect(new Set(listed)).toEqual(new Set(many));
  });

  it('lists those of the fleet, and where they are', async () => {
    const { gateway, tcp } = await startGateway();
    const words = {
      uno: { state: 'online', gateway: 'site2', run: 'r', held: { site1: 3 } },
      nano: { state: 'offline', gateway: 'site1', was: 'online', run: 'r' },
    };
    for (const [id, word] of Object.entries(words))
      gateway.emit(`$slipway/fleet/devices/${id}`, JSON.stringify(word), { retain: true });
    const text = slipway(['devices', '--fleet', '--port', String(tcp.port)]);
    await text.ended;
    expect(text.lines).toEqual([
      'nano  offline  at site1, which is silent',
      'uno   online   at site2; 3 held at site1',
    ]);
    const json = slipway(['devices', '--fleet', '--json', '--port', String(tcp.port)]);
    await json.ended;
    expect(JSON.parse(json.stdout)).toEqual([
      { identity: 'nano', ...words.nano },
      { identity: 'uno', ...words.uno },
    ]);
  });

  it('says so when there are none, and when there is no gateway', async () => {
    const { tcp } = await startGateway();
    const none = slipway(['devices', '--port', String(tcp.port)]);
    await none.ended;
    expect(none.stdout).toMatch(/^No devices yet/);
    const noFleet = slipway(['devices', '--fleet', '--port', String(tcp.port)]);
    await noFleet.ended;
    expect(noFleet.stdout).toMatch(/^No devices yet.*"presence"/);
    const nobody = slipway(['devices', '--port', String(await freePort())]);
    expect(await nobody.ended).toEqual({ code: 1, signal: null });
    expect(nobody.stderr).toMatch(/^slipway: /);
  });
});
