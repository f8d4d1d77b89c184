import type { IPublishPacket } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { puback, Rig, type Sent } from './rig.js';

const publishes = (rig: Rig): (Sent & IPublishPacket)[] => rig.packets() as (Sent & IPublishPacket)[];
const propertiesOf = (rig: Rig) => publishes(rig).map(({ properties }) => properties);

describe('what travels with a message', () => {
  const extras = {
    properties: {
      payloadFormat: 1,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from('id'),
      userProperties: [
        ['a', '1'],
        ['a', '2'],
      ],
    },
  } as const;

  it('reaches a client of MQTT 5 unaltered [MQTT-3.3.2-17], one of 3.1.1 not at all', () => {
    const rig = new Rig();
    rig.connect();
    for (const qos of [0, 1] as const) rig.deliver('a', 'x', qos, { extras });
    const told = {
      payloadFormatIndicator: true,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from('id'),
    };
    for (const properties of propertiesOf(rig)) {
      expect(properties).toMatchObject(told);
      expect({ ...properties?.userProperties }).toEqual({ a: ['1', '2'] });
    }
    rig.connect({ level: 4 });
    rig.deliver('b', 'x', 0, { extras });
    expect(publishes(rig).at(-1)).toMatchObject({ topic: 'b', length: 4 });
  });

  it('tells no client how it came here', () => {
    const origin = { bridge: 'plant', via: ['site1'] };
    for (const level of [5, 4] as const) {
      const rig = new Rig();
      rig.connect({ level });
      rig.deliver('a', 'x', 0);
      rig.deliver('a', 'x', 0, { extras: { origin } });
      rig.deliver('a', 'x', 1, { extras: { origin } });
      const [plain, at0, at1] = publishes(rig);
      expect(at0).toEqual(plain);
      expect(at1).toMatchObject({ topic: 'a', length: (plain?.length ?? 0) + 2 });
      expect(at1?.properties).toEqual(plain?.properties);
    }
  });

  it('is joined by the identifiers of the subscriptions that match [MQTT-3.3.4-3]', () => {
    const rig = new Rig();
    rig.connect();
    rig.deliver('a', 'x', 0, { ids: [7] });
    rig.deliver('a', 'x', 1, { ids: [7, 300_000] });
    rig.deliver('a', 'x', 0);
    expect(propertiesOf(rig).map((properties) => properties?.subscriptionIdentifier)).toEqual([
      7,
      [7, 300_000],
      undefined,
    ]);
  });
});

describe('message expiry', () => {
  const expiryOf = (rig: Rig) => propertiesOf(rig).map((properties) => properties?.messageExpiryInterval);

  it('is what is left of it, in seconds [MQTT-3.3.2-6]', () => {
    const rig = new Rig();
    rig.connect();
    const extras = { expiresAt: rig.time + 10_000 };
    rig.deliver('a', 'x', 0, { extras });
    rig.time += 2400;
    rig.deliver('a', 'x', 0, { extras });
    rig.deliver('a', 'x', 1, { extras });
    expect(expiryOf(rig)).toEqual([10, 8, 8]);
    rig.time += 3600;
    rig.connect();
    expect(expiryOf(rig)).toEqual([4]);
  });

  it('drops what has waited longer, and counts it [MQTT-3.3.2-5]', () => {
    const rig = new Rig();
    rig.deliver('a', 'short', 1, { extras: { expiresAt: rig.time + 1000 } });
    rig.deliver('a', 'long', 1, { extras: { expiresAt: rig.time + 5000 } });
    rig.deliver('a', 'ever', 1);
    rig.time += 1000;
    rig.connect({ level: 4 });
    expect(rig.sent()).toEqual(['publish a=long @1 #1', 'publish a=ever @1 #2']);
    expect(rig.counters.snapshot()).toEqual({ 'mqtt.drop.expired': 1 });
  });

  it('does not end what was sent once: that is sent again, with 0 s left', () => {
    const rig = new Rig();
    rig.connect();
    rig.deliver('a', 'x', 2, { extras: { expiresAt: rig.time + 1000 } });
    rig.packets();
    rig.time += 60_000;
    rig.connect();
    const [again] = publishes(rig);
    expect(again).toMatchObject({ dup: true, properties: { messageExpiryInterval: 0 } });
  });

  it('makes room in a full queue', () => {
    const rig = new Rig({ queue: { messages: 2 } });
    rig.deliver('a', 'ever', 1);
    rig.deliver('a', 'short', 1, { extras: { expiresAt: rig.time + 1000 } });
    expect(rig.engine.hasRoom({ name: 'a' }, 1)).toBe(false);
    rig.time += 1000;
    expect(rig.engine.hasRoom({ name: 'a' }, 1)).toBe(true);
    rig.deliver('a', 'later', 1);
    expect(rig.engine.hasRoom({ name: 'a' }, 1)).toBe(false);
    expect(rig.counters.get('mqtt.drop.expired')).toBe(1);
    rig.connect();
    expect(rig.sent()).toEqual(['publish a=ever @1 #1', 'publish a=later @1 #2']);
  });
});

describe('topic aliases to a client', () => {
  /** As the client writes them down: the topic that it understands, or what broke the protocol. */
  function reader(rig: Rig, maximum: number) {
    const topics = new Map<number, string>();
    return () =>
      publishes(rig).map(({ topic, properties }) => {
        const alias = properties?.topicAlias;
        if (alias === undefined) return topic;
        if (alias < 1 || alias > maximum) return `alias ${alias}!`;
        if (topic !== '') topics.set(alias, topic);
        return `${topics.get(alias) ?? 'nothing!'}${topic === '' ? ` (${alias})` : ` = ${alias}`}`;
      });
  }

  it('are given to topics as far as the client allows [MQTT-3.1.2-26], and then stand for them', () => {
    const rig = new Rig();
    rig.connect({ topicAliasMaximum: 2 });
    const read = reader(rig, 2);
    for (const topic of ['long/1', 'long/2', 'long/1', 'long/2']) rig.deliver(topic, 'x', 0);
    rig.deliver('long/1', 'x', 1);
    expect(read()).toEqual(['long/1 = 1', 'long/2 = 2', 'long/1 (1)', 'long/2 (2)', 'long/1 (1)']);
  });

  it('go from topics that are not used any more to those that are', () => {
    const rig = new Rig();
    rig.connect({ topicAliasMaximum: 2 });
    const read = reader(rig, 2);
    for (const topic of ['used', 'once', 'used']) rig.deliver(topic, 'x', 0);
    read();
    // The first look spares the topic that was used again, the next takes the alias of the one that was not.
    for (const topic of ['newer', 'newer', 'newer', 'used']) rig.deliver(topic, 'x', 0);
    expect(read()).toEqual(['newer', 'newer = 2', 'newer (2)', 'used (1)']);
  });

  it('are not worth it for short topics, and not known to the next connection', () => {
    const rig = new Rig();
    rig.connect({ topicAliasMaximum: 2 });
    rig.deliver('abc', 'x', 0);
    rig.deliver('abcd', 'x', 1);
    expect(reader(rig, 2)()).toEqual(['abc', 'abcd = 1']);
    rig.connect({ topicAliasMaximum: 2 });
    expect(reader(rig, 2)()).toEqual(['abcd = 1']);
    rig.connect();
    expect(reader(rig, 0)()).toEqual(['abcd']);
    rig.receive(puback(1));
    expect(rig.engine.pending).toBe(0);
  });

  it('are not given by what may be too large to be sent', () => {
    const rig = new Rig();
    rig.connect({ topicAliasMaximum: 2, maximumPacketSize: 60 });
    const read = reader(rig, 2);
    rig.deliver('a/topic', 'x'.repeat(100), 1);
    rig.deliver('a/topic', 'x', 1);
    rig.deliver('a/topic', 'x', 1);
    expect(read()).toEqual(['a/topic = 1', 'a/topic (1)']);
  });

  it('are understood by a client whatever is sent to it', () => {
    const rig = new Rig();
    rig.connect({ topicAliasMaximum: 5, maximumPacketSize: 90 });
    const read = reader(rig, 5);
    for (let i = 0; i < 2000; i++) {
      const topic = `topic/${(i * i * 7 + i) % 11}`;
      const payload = 'x'.repeat((i * 31) % 100);
      rig.deliver(topic, payload, 0, i % 3 === 0 ? { ids: [i + 1] } : {});
      for (const told of read()) expect(told.split(/ /)[0]).toBe(topic);
    }
    expect(rig.counters.get('mqtt.drop.too_large_for_receiver')).toBeGreaterThan(100);
  });
});
