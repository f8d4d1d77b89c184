import { describe, expect, it } from 'vitest';
import type { PublishProperties } from '../../../src/mqtt/wire/packets.js';
import { publish, pubrel, Rig } from './rig.js';

function connected(level: 4 | 5, limits = {}): Rig {
  const rig = new Rig({ limits });
  rig.connect({ level });
  return rig;
}

describe('what a client publishes', () => {
  it('is acknowledged at QoS 1 with 0x10 if nobody hears it [3.4.2.1]', () => {
    const rig = connected(5);
    rig.receive(publish('a', 'x', 1, 7));
    rig.hasAudience = false;
    rig.receive(publish('a', 'x', 1, 8), publish('a', 'x', 2, 9));
    expect(rig.sent()).toEqual(['puback #7', 'puback #8 0x10', 'pubrec #9']);
    const older = connected(4);
    older.hasAudience = false;
    older.receive(publish('a', 'x', 1, 7));
    expect(older.sent()).toEqual(['puback #7']);
  });

  it('is emitted at its QoS, and acknowledged as that asks for', () => {
    const rig = connected(4);
    rig.receive(publish('a', 'x', 0), publish('b', 'y', 1, 7, { retain: true }), publish('c', 'z', 2, 9));
    expect(rig.heard()).toEqual(['a=x @0', 'b=y @1 retain', 'c=z @2']);
    expect(rig.sent()).toEqual(['puback #7', 'pubrec #9']);
    rig.receive(pubrel(9));
    expect(rig.sent()).toEqual(['pubcomp #9']);
  });

  it('is emitted each time it comes at QoS 1', () => {
    const rig = connected(4);
    rig.receive(publish('a', 'x', 1, 7), publish('a', 'x', 1, 7, { dup: true }));
    expect(rig.heard()).toEqual(['a=x @1', 'a=x @1']);
    expect(rig.sent()).toEqual(['puback #7', 'puback #7']);
  });

  it('is emitted once at QoS 2, with or without DUP, also over the next connection [MQTT-4.3.3-10]', () => {
    const rig = connected(5);
    rig.receive(publish('a', 'x', 2, 7), publish('a', 'x', 2, 7, { dup: true }), publish('a', 'x', 2, 7));
    rig.engine.detach();
    rig.connect({ level: 4 });
    rig.receive(publish('a', 'x', 2, 7, { dup: true }));
    expect(rig.heard()).toEqual(['a=x @2']);
    expect(rig.sent()).toEqual(['pubrec #7', 'pubrec #7', 'pubrec #7', 'pubrec #7']);
    expect([...rig.engine.taken]).toEqual([7]);
    rig.receive(pubrel(7), publish('a', 'y', 2, 7));
    expect(rig.heard()).toEqual(['a=y @2']);
    expect(rig.sent()).toEqual(['pubcomp #7', 'pubrec #7']);
  });

  it('has its PUBREL answered even if it is not known: with 0x92', () => {
    const rig = connected(5);
    rig.receive(pubrel(3));
    expect(rig.sent()).toEqual(['pubcomp #3 0x92']);
    rig.connect({ level: 4 });
    rig.receive(pubrel(3));
    expect(rig.sent()).toEqual(['pubcomp #3']);
    expect(rig.counters.get('mqtt.unknown_id')).toBe(2);
  });

  it('counts as published when only the receiver found it too large', () => {
    const rig = connected(5);
    rig.refusal = 'too_large_for_receiver';
    rig.receive(publish('a', 'x', 1, 1), publish('a', 'x', 2, 2));
    expect(rig.sent()).toEqual(['puback #1', 'pubrec #2']);
    expect([...rig.engine.taken]).toEqual([2]);
  });

  it('is not answered any more when its emit ended the session', () => {
    const rig = connected(5);
    rig.onEmit = () => rig.engine.end();
    rig.receive(publish('a', 'x', 2, 2));
    expect(rig.sent()).toEqual([]);
    expect([...rig.engine.taken]).toEqual([]);
  });

  it('is remembered as taken when its emit closed the connection', () => {
    const rig = connected(5);
    rig.onEmit = () => rig.engine.detach();
    rig.receive(publish('a', 'x', 2, 2));
    expect([...rig.engine.taken]).toEqual([2]);
  });
});

describe('what is refused', () => {
  it.each([
    ['not_allowed', 0x87],
    ['bad_channel', 0x90],
    ['queue_full', 0x97],
    ['limit_reached', 0x97],
    ['not_stored', 0x97],
    ['unsupported', 0x80],
  ] as const)('for %s is told to a client of MQTT 5 with 0x%x', (reason, code) => {
    const rig = connected(5);
    rig.refusal = reason;
    expect(rig.receive(publish('a', 'x', 1, 1), publish('a', 'x', 2, 2))).toBe(true);
    expect(rig.sent()).toEqual([`puback #1 0x${code.toString(16)}`, `pubrec #2 0x${code.toString(16)}`]);
    // Nothing was taken: the identifier is free (MQTT 5, 4.3.3).
    expect([...rig.engine.taken]).toEqual([]);
    rig.refusal = undefined;
    rig.receive(publish('a', 'y', 2, 2));
    expect(rig.heard()).toEqual(['a=y @2']);
  });

  it('tells people why, unless they asked to be spared or it does not fit [MQTT-3.1.2-29]', () => {
    const reasonOf = (traits: object) => {
      const rig = new Rig();
      rig.connect(traits);
      rig.refusal = 'queue_full';
      rig.receive(publish('a', 'x', 1, 1));
      const [answer] = rig.packets() as { properties?: { reasonString?: string } }[];
      return answer?.properties?.reasonString;
    };
    expect(reasonOf({})).toContain('queue of a subscriber is full');
    expect(reasonOf({ problemInformation: false })).toBeUndefined();
    expect(reasonOf({ maximumPacketSize: 20 })).toBeUndefined();
  });

  it('makes a client of 3.1.1 wait, which cannot be told, until it can be taken', () => {
    for (const refusal of ['queue_full', 'limit_reached', 'not_stored'] as const) {
      const rig = connected(4);
      rig.refusal = refusal;
      expect(rig.receive(publish('a', 'x', 1, 1))).toBe(false);
      expect(rig.receive(publish('a', 'x', 2, 2))).toBe(false);
      expect(rig.sent()).toEqual([]);
      rig.refusal = undefined;
      expect(rig.receive(publish('a', 'x', 2, 2))).toBe(true);
      expect(rig.sent()).toEqual(['pubrec #2']);
    }
  });

  it('for good is acknowledged to a client of 3.1.1, and counted', () => {
    const rig = connected(4);
    rig.refusal = 'not_allowed';
    expect(rig.receive(publish('a', 'x', 1, 1), publish('a', 'x', 2, 2))).toBe(true);
    rig.refusal = 'bad_channel';
    expect(rig.receive(publish('a', 'x', 1, 3))).toBe(true);
    expect(rig.sent()).toEqual(['puback #1', 'pubrec #2', 'puback #3']);
    expect(rig.counters.snapshot()).toEqual({ 'mqtt.refused.bad_channel': 1, 'mqtt.refused.not_allowed': 2 });
  });

  it.each([4, 5] as const)('at QoS 0 is counted, at level %i', (level) => {
    const rig = connected(level);
    rig.refusal = 'queue_full';
    expect(rig.receive(publish('a', 'x', 0))).toBe(true);
    expect(rig.sent()).toEqual([]);
    expect(rig.counters.snapshot()).toEqual({ 'mqtt.refused.queue_full': 1 });
  });
});

describe('the quota of a client', () => {
  it('is what was announced: one more is 0x93 [MQTT-3.3.4-7]', () => {
    const rig = connected(5, { receiveMaximum: 2 });
    rig.receive(publish('a', '1', 2, 1), publish('a', '2', 2, 2), publish('a', '2', 2, 2, { dup: true }));
    rig.receive(publish('a', '3', 0));
    expect(rig.asked).toEqual([]);
    rig.receive(pubrel(1), publish('a', '4', 2, 4));
    expect(rig.asked).toEqual([]);
    rig.receive(publish('a', '5', 1, 5));
    expect(rig.asked).toEqual(['fails 0x93']);
    expect(rig.heard()).toEqual(['a=1 @2', 'a=2 @2', 'a=3 @0', 'a=4 @2']);
  });

  it('begins anew with each connection (MQTT 5, 4.9)', () => {
    const rig = connected(5, { receiveMaximum: 1 });
    rig.receive(publish('a', '1', 2, 1));
    rig.connect();
    rig.receive(publish('a', '2', 2, 2));
    expect(rig.asked).toEqual([]);
    // What is sent again counts, once.
    rig.receive(pubrel(2), publish('a', '1', 2, 1, { dup: true }), publish('a', '3', 2, 3));
    expect(rig.asked).toEqual(['fails 0x93']);
  });

  it('is none in 3.1.1', () => {
    const rig = connected(4, { receiveMaximum: 1 });
    rig.receive(publish('a', '1', 2, 1), publish('a', '2', 2, 2), publish('a', '3', 1, 3));
    expect(rig.asked).toEqual([]);
    expect(rig.heard()).toHaveLength(3);
  });
});

describe('topic aliases of a client', () => {
  const aliased = (topic: string, topicAlias: number) =>
    publish(topic, 'x', 0, 0, { properties: { topicAlias } });

  it('stand for the topic that they came with last, on this connection [MQTT-3.3.2-7]', () => {
    const rig = connected(5);
    rig.receive(
      aliased('a', 1),
      aliased('', 1),
      aliased('b', 4),
      aliased('c', 1),
      aliased('', 1),
      aliased('', 4),
    );
    expect(rig.heard().map((emit) => emit[0])).toEqual(['a', 'a', 'b', 'c', 'c', 'b']);
    rig.connect();
    rig.receive(aliased('', 1));
    expect(rig.asked).toEqual(['fails 0x82']);
  });

  it('are a protocol error beyond the maximum [MQTT-3.3.2-9], and before they have a topic', () => {
    const beyond = connected(5);
    beyond.receive(aliased('a', 5));
    const none = connected(5, { topicAliasMaximum: 0 });
    none.receive(aliased('a', 1));
    const unknown = connected(5);
    unknown.receive(aliased('', 2));
    expect([beyond.asked, none.asked, unknown.asked]).toEqual([
      ['fails 0x94'],
      ['fails 0x94'],
      ['fails 0x82'],
    ]);
    expect(beyond.heard()).toEqual([]);
  });
});

describe('what travels with a message', () => {
  const extrasOf = (properties: PublishProperties) => {
    const rig = connected(5);
    rig.receive(publish('a', 'x', 0, 0, { properties }));
    return rig.emitted[0]?.options.extras;
  };

  it('is its properties, but those that are for the server', () => {
    const correlationData = Buffer.from('id');
    const properties: PublishProperties = {
      payloadFormat: 1,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData,
      userProperties: [
        ['a', '1'],
        ['a', '2'],
      ],
    };
    const extras = extrasOf({ ...properties, messageExpiry: 5, topicAlias: 1 });
    correlationData.fill(0);
    expect(extras).toEqual({
      expiresAt: 6000,
      properties: { ...properties, correlationData: new Uint8Array(Buffer.from('id')) },
    });
  });

  it('is nothing at all without any', () => {
    expect(extrasOf({})).toBeUndefined();
    expect(extrasOf({ topicAlias: 2, userProperties: [] })).toBeUndefined();
    expect(extrasOf({ messageExpiry: 0 })).toEqual({ expiresAt: 1000 });
  });
});
