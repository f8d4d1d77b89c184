import { describe, expect, it } from 'vitest';
import { Rig, subscribe } from './rig.js';

describe('SUBSCRIBE', () => {
  it('is answered with a code for each request, in order, before any retained message', () => {
    const rig = new Rig();
    rig.connect({ level: 4 });
    rig.subscriptionRefusals.set('no', 'not_allowed');
    rig.receive(subscribe(5, [{ filter: 'a', qos: 2 }, { filter: 'no', qos: 1 }, { filter: 'b' }]));
    expect(rig.asked).toEqual([
      'subscribe a @2',
      'subscribe no @1',
      'subscribe b @0',
      'replay a',
      'replay b',
    ]);
    expect(rig.sent()).toEqual([
      'suback #5 0x2 0x80 0x0',
      'publish a=last @0 retain',
      'publish b=last @0 retain',
    ]);
  });

  it.each([
    ['not_allowed', 0x87],
    ['bad_channel', 0x8f],
    ['limit_reached', 0x97],
    ['unsupported', 0x80],
  ] as const)('tells a client of MQTT 5 of %s with 0x%x', (reason, code) => {
    const rig = new Rig();
    rig.connect();
    rig.subscriptionRefusals.set('a', reason);
    rig.receive(subscribe(5, [{ filter: 'a' }], 77));
    expect(rig.asked).toEqual(['subscribe a @0 id 77']);
    expect(rig.sent()).toEqual([`suback #5 0x${code.toString(16)}`]);
  });

  it.each([
    [0, ['replay a', 'replay a']],
    [1, ['replay a']],
    [2, []],
  ] as const)(
    'with retain handling %i asks for retained messages as that says [MQTT-3.3.1-9]',
    (retainHandling, replays) => {
      const rig = new Rig();
      rig.connect();
      rig.receive(
        subscribe(1, [{ filter: 'a', retainHandling }]),
        subscribe(2, [{ filter: 'a', retainHandling }]),
      );
      expect(rig.asked.filter((line) => line.startsWith('replay'))).toEqual(replays);
    },
  );

  it('brings no retained messages for shared subscriptions (MQTT 5, 4.8.2)', () => {
    const rig = new Rig();
    rig.connect();
    rig.receive(subscribe(1, [{ filter: '$share/g/a' }, { filter: '$shared' }]));
    expect(rig.asked.at(-1)).toBe('replay $shared');
    expect(rig.asked).not.toContain('replay $share/g/a');
  });
});

it('UNSUBSCRIBE tells a client of MQTT 5 which subscriptions there were', () => {
  const rig = new Rig();
  rig.connect();
  rig.receive(subscribe(1, [{ filter: 'a', retainHandling: 2 }]));
  rig.receive({ type: 'unsubscribe', id: 2, filters: ['a', 'b'], properties: {} });
  expect(rig.sent()).toEqual(['suback #1 0x0', 'unsuback #2 0x0 0x11']);
  rig.connect({ level: 4 });
  rig.receive({ type: 'unsubscribe', id: 3, filters: ['b'], properties: {} });
  expect(rig.sent()).toEqual(['unsuback #3']);
});

it('drops, and counts, an answer that is larger than the client takes', () => {
  const rig = new Rig();
  rig.connect({ maximumPacketSize: 6 });
  rig.receive(subscribe(1, [{ filter: 'a', retainHandling: 2 }]));
  expect(rig.sent()).toEqual(['suback #1 0x0']);
  rig.receive(
    subscribe(2, [
      { filter: 'a', retainHandling: 2 },
      { filter: 'b', retainHandling: 2 },
    ]),
  );
  expect(rig.sent()).toEqual([]);
  expect(rig.counters.get('mqtt.drop.too_large_for_receiver')).toBe(1);
});

it('PINGREQ is answered [MQTT-3.12.4-1], by no one but a session with a connection', () => {
  const rig = new Rig();
  rig.connect();
  rig.receive({ type: 'pingreq' });
  expect(rig.sent()).toEqual(['pingresp']);
  rig.engine.detach();
  rig.receive({ type: 'pingreq' });
  expect(rig.sent()).toEqual([]);
});
