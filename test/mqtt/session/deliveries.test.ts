import { describe, expect, it } from 'vitest';
import { QueueTotal } from '../../../src/session/queue-total.js';
import { puback, pubcomp, pubrec, Rig } from './rig.js';

describe('QoS 0 to a client', () => {
  it('sends at once, without packet identifier or DUP [MQTT-3.3.1-2]', () => {
    const rig = new Rig();
    rig.connect({ level: 4 });
    rig.deliver('a/b', 'x', 0);
    rig.deliver('a/b', '', 0, { retain: true });
    expect(rig.sent()).toEqual(['publish a/b=x @0', 'publish a/b= @0 retain']);
  });

  it('drops and counts while there is no connection, or too much waits in it', () => {
    const rig = new Rig({ limits: { backlog: 50 } });
    rig.deliver('a', 'x', 0);
    rig.connect();
    rig.backlog = 50;
    rig.deliver('a', 'y', 0);
    rig.backlog = 49;
    rig.deliver('a', 'z', 0);
    expect(rig.sent()).toEqual(['publish a=z @0']);
    expect(rig.counters.snapshot()).toEqual({ 'mqtt.drop.backlog_full': 1, 'mqtt.drop.offline': 1 });
  });

  it('writes one message for all clients of a level once, and knows a payload by its content', () => {
    const rigs = [new Rig(), new Rig(), new Rig()];
    const sent: Uint8Array[] = [];
    for (const [index, rig] of rigs.entries())
      rig.connect({ level: index < 2 ? 5 : 4, send: (bytes) => sent.push(bytes) });
    const payload = Buffer.from('one');
    for (const { engine } of rigs) engine.deliver({ name: 'a' }, payload, 0, false);
    expect(sent[0]).toBe(sent[1]);
    expect(Buffer.from(sent[2] as Uint8Array)).toEqual(Buffer.from('\x30\x06\x00\x01aone'));
    payload.write('two');
    for (const { engine } of rigs) engine.deliver({ name: 'a' }, payload, 0, false);
    expect(Buffer.from(sent[4] as Uint8Array)).toEqual(Buffer.from('\x30\x07\x00\x01a\x00two'));
    expect(Buffer.from(sent[0] as Uint8Array)).toEqual(Buffer.from('\x30\x07\x00\x01a\x00one'));
  });
});

describe('QoS 1 to a client', () => {
  it('gives each message a packet identifier until PUBACK comes', () => {
    const rig = new Rig();
    rig.connect({ level: 4 });
    rig.deliver('a', 'x', 1);
    rig.deliver('b', 'y', 1);
    expect(rig.sent()).toEqual(['publish a=x @1 #1', 'publish b=y @1 #2']);
    expect(rig.engine.pending).toBe(2);
    rig.receive(puback(2), puback(1));
    expect(rig.engine.pending).toBe(0);
    expect(rig.engine.pendingBytes).toBe(0);
  });

  it('waits without a connection, and goes out in order when there is one', () => {
    const rig = new Rig();
    for (const payload of ['x', 'y', 'z']) rig.deliver('a', payload, 1);
    rig.connect();
    expect(rig.sent()).toEqual(['publish a=x @1 #1', 'publish a=y @1 #2', 'publish a=z @1 #3']);
  });

  it('sends what was not acknowledged again after a reconnect, with DUP, before what waits [MQTT-4.4.0-1]', () => {
    const rig = new Rig();
    rig.connect();
    rig.deliver('a', 'x', 1);
    rig.deliver('a', 'y', 1);
    rig.deliver('a', 'z', 1);
    rig.receive(puback(2));
    rig.engine.detach();
    rig.deliver('a', 'w', 1);
    rig.packets();
    rig.connect({ level: 4 });
    expect(rig.sent()).toEqual(['publish a=x @1 #1 dup', 'publish a=z @1 #3 dup', 'publish a=w @1 #4']);
    rig.receive(puback(1), puback(3), puback(4));
    expect(rig.engine.pending).toBe(0);
  });

  it('sends nothing again over the same connection', () => {
    const rig = new Rig();
    rig.connect();
    rig.deliver('a', 'x', 1);
    rig.time += 1_000_000;
    rig.deliver('a', 'y', 1);
    expect(rig.sent()).toEqual(['publish a=x @1 #1', 'publish a=y @1 #2']);
  });

  it('takes a PUBACK with a failure as the end of the message, and counts it', () => {
    const rig = new Rig();
    rig.connect();
    rig.deliver('a', 'x', 1);
    rig.receive(puback(1, 0x97));
    expect(rig.engine.pending).toBe(0);
    expect(rig.counters.get('mqtt.drop.refused_by_receiver')).toBe(1);
  });

  it('counts a PUBACK that nothing waits for', () => {
    const rig = new Rig();
    rig.connect();
    rig.receive(puback(7));
    expect(rig.sent()).toEqual([]);
    expect(rig.counters.get('mqtt.unknown_id')).toBe(1);
  });
});

describe('QoS 2 to a client', () => {
  it('goes through PUBLISH, PUBREC, PUBREL and PUBCOMP', () => {
    const rig = new Rig();
    rig.connect({ level: 4 });
    rig.deliver('a', 'x', 2);
    expect(rig.sent()).toEqual(['publish a=x @2 #1']);
    rig.receive(pubrec(1));
    expect(rig.sent()).toEqual(['pubrel #1']);
    expect(rig.engine.pending).toBe(1);
    rig.receive(pubcomp(1));
    expect(rig.engine.pending).toBe(0);
    expect(rig.sent()).toEqual([]);
  });

  it('answers PUBREC in the order in which it comes [MQTT-4.6.0-4], each time it comes', () => {
    const rig = new Rig();
    rig.connect();
    for (const payload of ['x', 'y']) rig.deliver('a', payload, 2);
    rig.packets();
    rig.receive(pubrec(2), pubrec(1), pubrec(2));
    expect(rig.sent()).toEqual(['pubrel #2', 'pubrel #1', 'pubrel #2']);
  });

  it('sends PUBREL, not PUBLISH, again after a reconnect once PUBREC came', () => {
    const rig = new Rig();
    rig.connect();
    for (const payload of ['x', 'y', 'z']) rig.deliver('a', payload, 2);
    rig.receive(pubrec(2), pubrec(1));
    rig.engine.detach();
    rig.packets();
    rig.connect();
    expect(rig.sent()).toEqual(['pubrel #2', 'pubrel #1', 'publish a=z @2 #3 dup']);
    rig.receive(pubcomp(1), pubcomp(2), pubrec(3), pubcomp(3));
    expect(rig.engine.pending).toBe(0);
  });

  it('ends with a PUBREC that tells of a failure: no PUBREL, and the identifier is free', () => {
    const rig = new Rig();
    rig.connect({ receiveMaximum: 1 });
    rig.deliver('a', 'x', 2);
    rig.deliver('a', 'y', 2);
    rig.packets();
    rig.receive(pubrec(1, 0x80));
    expect(rig.sent()).toEqual(['publish a=y @2 #2']);
    expect(rig.counters.get('mqtt.drop.refused_by_receiver')).toBe(1);
  });

  it('answers a PUBREC that nothing waits for with PUBREL 0x92', () => {
    const rig = new Rig();
    rig.connect();
    rig.receive(pubrec(9));
    expect(rig.sent()).toEqual(['pubrel #9 0x92']);
    // Nothing follows this one ([MQTT-4.3.3-4]).
    rig.receive(pubrec(9, 0x80));
    expect(rig.sent()).toEqual([]);
    rig.connect({ level: 4 });
    rig.receive(pubrec(9));
    expect(rig.sent()).toEqual(['pubrel #9']);
  });

  it('ignores a PUBCOMP that nothing waits for', () => {
    const rig = new Rig();
    rig.connect();
    rig.receive(pubcomp(9));
    expect(rig.asked).toEqual([]);
    expect(rig.sent()).toEqual([]);
  });
});

it.each([
  ['PUBREC for QoS 1', 1, [pubrec(1)]],
  ['PUBCOMP for QoS 1', 1, [pubcomp(1)]],
  ['PUBACK for QoS 2', 2, [puback(1)]],
  ['PUBCOMP before PUBREC', 2, [pubcomp(1)]],
  ['PUBACK after PUBREC', 2, [pubrec(1), puback(1)]],
] as const)('a client that answers with a %s breaks the protocol', (_, qos, answers) => {
  const rig = new Rig();
  rig.connect();
  rig.deliver('a', 'x', qos);
  rig.receive(...answers);
  expect(rig.asked).toEqual(['fails 0x82']);
  expect(rig.engine.pending).toBe(1);
});

describe('what a client takes', () => {
  it('never has more unacknowledged than its receive maximum [MQTT-3.3.4-9]', () => {
    const rig = new Rig();
    rig.connect({ receiveMaximum: 2 });
    for (const payload of ['1', '2', '3', '4', '5']) rig.deliver('a', payload, payload === '2' ? 2 : 1);
    expect(rig.sent()).toEqual(['publish a=1 @1 #1', 'publish a=2 @2 #2']);
    rig.receive(pubrec(2));
    // A PUBREC frees nothing (MQTT 5, 4.9).
    expect(rig.sent()).toEqual(['pubrel #2']);
    rig.receive(pubcomp(2));
    expect(rig.sent()).toEqual(['publish a=3 @1 #3']);
    rig.receive(puback(1), puback(3));
    expect(rig.sent()).toEqual(['publish a=4 @1 #4', 'publish a=5 @1 #5']);
  });

  it('holds to it, too, for what is sent again', () => {
    const rig = new Rig();
    rig.connect();
    for (const payload of ['1', '2', '3']) rig.deliver('a', payload, 1);
    rig.engine.detach();
    rig.packets();
    rig.connect({ receiveMaximum: 1 });
    rig.deliver('a', '4', 1);
    expect(rig.sent()).toEqual(['publish a=1 @1 #1 dup']);
    rig.receive(puback(1));
    expect(rig.sent()).toEqual(['publish a=2 @1 #2 dup']);
    // Acknowledged before it was sent again, by the connection before.
    rig.receive(puback(3));
    expect(rig.sent()).toEqual([]);
    rig.receive(puback(2));
    expect(rig.sent()).toEqual(['publish a=4 @1 #4']);
  });

  it('QoS 0 knows no quota, and is not held up', () => {
    const rig = new Rig();
    rig.connect({ receiveMaximum: 1 });
    rig.deliver('a', '1', 1);
    rig.deliver('a', '2', 1);
    rig.deliver('a', '3', 0);
    expect(rig.sent()).toEqual(['publish a=1 @1 #1', 'publish a=3 @0']);
  });

  it('waits for an acknowledgement behind a full backlog, and for nothing without any to come', () => {
    const rig = new Rig({ limits: { backlog: 10 } });
    rig.connect();
    rig.backlog = 10;
    rig.deliver('a', '1', 1);
    rig.deliver('a', '2', 1);
    expect(rig.sent()).toEqual(['publish a=1 @1 #1']);
    rig.receive(puback(1));
    expect(rig.sent()).toEqual(['publish a=2 @1 #2']);
    rig.deliver('a', '3', 1);
    rig.backlog = 0;
    rig.deliver('a', '4', 1);
    rig.receive(puback(2));
    expect(rig.sent()).toEqual(['publish a=3 @1 #3', 'publish a=4 @1 #4']);
  });

  it('gets no packet larger than it said, as if that were delivered [MQTT-3.1.2-25]', () => {
    const rig = new Rig();
    // A head of two bytes, the topic with its length, the identifier, no properties.
    rig.connect({ maximumPacketSize: 2 + 3 + 2 + 1 + 10 });
    rig.deliver('a', '0123456789', 1);
    rig.deliver('a', '0123456789x', 1);
    rig.deliver('a', '0123456789xyz', 0);
    rig.deliver('a', '0123456789xy', 0);
    rig.deliver('a', 'next', 2);
    expect(rig.sent()).toEqual([
      'publish a=0123456789 @1 #1',
      'publish a=0123456789xy @0',
      'publish a=next @2 #3',
    ]);
    expect(rig.engine.pending).toBe(2);
    expect(rig.counters.get('mqtt.drop.too_large_for_receiver')).toBe(2);
  });

  it('gets nothing that no packet has room for, with what is added to it here (2.1.4)', () => {
    const rig = new Rig();
    rig.connect({ topicAliasMaximum: 3 });
    // Of 3.1.1 it would be as long as can be.
    const payload = Buffer.alloc(268_435_455 - 2 - 5);
    rig.engine.deliver({ name: 'topic' }, payload, 0, false);
    rig.engine.deliver({ name: 'topic' }, payload, 1, false, undefined, [1]);
    rig.deliver('topic', 'x', 1);
    expect(rig.sent()).toEqual(['publish topic=x @1 #2']);
    expect(rig.counters.get('mqtt.drop.too_large_for_receiver')).toBe(2);
  });

  it('drops what is too large for the next connection only', () => {
    const rig = new Rig();
    rig.connect();
    rig.deliver('a', '0123456789', 2);
    rig.engine.detach();
    rig.packets();
    rig.connect({ maximumPacketSize: 12 });
    expect(rig.sent()).toEqual([]);
    expect(rig.engine.pending).toBe(0);
  });
});

describe('packet identifiers', () => {
  it('wrap from 65,535 to 1, and leave out those in use [MQTT-2.2.1-4]', () => {
    const rig = new Rig();
    rig.connect();
    for (const qos of [1, 2] as const) rig.deliver('kept', 'x', qos);
    rig.receive(pubrec(2));
    rig.packets();
    for (let id = 3; id <= 65_535; id++) {
      rig.deliver('a', 'x', 1);
      rig.receive(puback(id));
    }
    expect(rig.packets()).toHaveLength(65_533);
    expect(rig.engine.pending).toBe(2);
    rig.deliver('a', 'after', 1);
    expect(rig.sent()).toEqual(['publish a=after @1 #3']);
  });

  it('can all be in use: more waits', () => {
    const rig = new Rig({ queue: { messages: 70_000, bytes: 10_000_000 } });
    let sent = 0;
    rig.connect({ level: 4, send: () => sent++ });
    for (let i = 0; i < 65_537; i++) rig.deliver('a', 'x', 1);
    expect(sent).toBe(65_535);
    rig.receive(puback(40_000));
    expect(sent).toBe(65_536);
    expect([...rig.engine.outgoing].filter(({ id }) => id === 40_000)).toHaveLength(1);
  });
});

describe('the bounds of a queue', () => {
  it('count messages and bytes, in flight or not', () => {
    const rig = new Rig({ queue: { messages: 2, bytes: 200 } });
    rig.connect();
    expect(rig.engine.hasRoom({ name: 'a' }, 183)).toBe(true);
    expect(rig.engine.hasRoom({ name: 'a' }, 184)).toBe(false);
    rig.deliver('a', 'x', 1);
    rig.deliver('a', 'x', 1);
    expect(rig.engine.hasRoom({ name: 'a' }, 1)).toBe(false);
    rig.receive(puback(1));
    expect(rig.engine.hasRoom({ name: 'a' }, 1)).toBe(true);
  });

  it('count what all sessions have, and give it back at the end', () => {
    const total = new QueueTotal(2, 1000);
    const rigs = [new Rig({ queue: { total } }), new Rig({ queue: { total } })] as const;
    rigs[0].connect();
    rigs[0].deliver('a', 'x', 2);
    rigs[1].deliver('a', 'x', 1);
    expect(rigs.map(({ engine }) => engine.hasRoom({ name: 'a' }, 1))).toEqual([false, false]);
    rigs[0].receive(pubrec(1));
    for (const { engine } of rigs) engine.end();
    expect([total.messages, total.bytes]).toEqual([0, 0]);
  });

  it('let go of what waited for too long, but not of what was sent', () => {
    const rig = new Rig();
    rig.connect({ receiveMaximum: 1 });
    rig.deliver('a', 'sent', 1);
    rig.deliver('a', 'old', 1);
    rig.time = 2000;
    rig.deliver('a', 'new', 1);
    expect(rig.engine.dropWaitingSince(2000)).toBe(1);
    rig.packets();
    rig.receive(puback(1));
    expect(rig.sent()).toEqual(['publish a=new @1 #2']);
  });
});
