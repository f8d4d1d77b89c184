import { describe, expect, it } from 'vitest';
import { Departures } from '../../../src/bridges/mqtt/departures.js';
import { BrokerSession } from '../../../src/bridges/mqtt/session.js';
import { REASON } from '../../../src/mqtt/wire/reason-codes.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { Life } from './life.js';
import { queued } from './rig.js';

const IDS = 64_000;

function newSession(): BrokerSession {
  const session = new BrokerSession(new Life(), 'here');
  session.begin();
  return session;
}

/** Departures of a session whose earlier connections released `released`; what was sent is written `publish 2 dup`, `pubrel 2`. */
function setUp({
  released = [] as number[],
  resent = 0,
  session = newSession(),
  version = 5 as 5 | '3.1.1',
} = {}) {
  for (const record of released) session.release(record);
  const sent: string[] = [];
  const told: string[] = [];
  const note = (bytes: Uint8Array) => {
    const type = (bytes[0] as number) >> 4;
    const id = Buffer.from(bytes);
    if (type === 6)
      for (let at = 0; at < bytes.length; at += 4) sent.push(`pubrel ${id.readUInt16BE(at + 2)}`);
    else
      sent.push(
        `publish ${id.readUInt16BE(4 + id.readUInt16BE(2))}${((bytes[0] as number) & 8) > 0 ? ' dup' : ''}`,
      );
  };
  const departures = new Departures({
    where: { server: 'mqtt://broker', host: 'broker', clientId: 'us', username: undefined, version },
    session,
    limits: {
      receiveMaximum: 100,
      unfinished: 100,
      maximumPacketSize: 1000,
      maximumQos: 2,
      retainAvailable: true,
    },
    clock: new VirtualClock(),
    events: {
      settled: (record) => void told.push(`settled ${record}`),
      refused: (record, reason) => void told.push(`refused ${record} ${reason}`),
      sendRefused: () => undefined,
    },
    resent,
    wire: { unsentBytes: 0, send: note },
    sendSafely: note,
    fail: (problem) => void told.push(problem),
  });
  return { departures, session, sent, told };
}

describe('messages on their way to a broker', () => {
  it('wait for an identifier that an older one still has, in order', () => {
    const { departures, sent, told } = setUp();
    for (const record of [1, 2, IDS + 1, IDS + 5]) departures.publish(queued(record, 'a', 'x'));
    expect(sent).toEqual(['publish 2', 'publish 3']);
    departures.acknowledged('puback', 3, 0, undefined);
    expect(sent).toHaveLength(2);
    departures.acknowledged('puback', 2, 0, undefined);
    expect(sent.slice(2)).toEqual(['publish 2', 'publish 6']);
    expect(told).toEqual(['settled 2', 'settled 1']);
  });

  it('are not sent again once they were released, but released again; also those that the bridge has dropped', () => {
    const { departures, session, sent, told } = setUp({ released: [3, 1, 7], resent: 10 });
    departures.publish(queued(3, 'a', 'x', { qos: 2 }));
    departures.publish(queued(4, 'a', 'x', { qos: 2 }));
    departures.publish(queued(8, 'a', 'x', { qos: 2 }));
    expect(sent).toEqual(['pubrel 2', 'pubrel 4', 'publish 5 dup', 'pubrel 8', 'publish 9 dup']);
    for (const id of [2, 4, 8])
      departures.acknowledged('pubcomp', id, REASON.packetIdentifierNotFound, undefined);
    expect(told).toEqual(['settled 3']);
    expect(session.released).toEqual([]);
  });

  it('overtake others that were released, and that follow', () => {
    const { departures, session, sent, told } = setUp({ released: [2, 5], resent: 10 });
    departures.publish(queued(3, 'a', 'x', { qos: 2 }), true);
    expect(departures.someUntaken).toBe(true);
    departures.acknowledged('pubrec', 4, 0, undefined);
    expect(departures.someUntaken).toBe(false);
    departures.acknowledged('pubcomp', 4, 0, undefined);
    departures.publish(queued(5, 'a', 'x', { qos: 2 }), true);
    expect(departures.someUntaken).toBe(false);
    departures.acknowledged('pubcomp', 6, 0, undefined);
    expect(session.released).toEqual([2]);
    departures.publish(queued(2, 'a', 'x', { qos: 2 }));
    expect(sent).toEqual(['publish 4 dup', 'pubrel 4', 'pubrel 6', 'pubrel 3']);
    expect(told).toEqual(['settled 3', 'settled 5']);
  });

  it('are with the broker when it says that it has their identifier already', () => {
    const { departures, session, sent, told } = setUp({ resent: 1 });
    departures.publish(queued(1, 'a', 'x', { qos: 2 }));
    departures.acknowledged('pubrec', 2, REASON.packetIdentifierInUse, undefined);
    expect(session.released).toEqual([1]);
    departures.acknowledged('pubcomp', 2, 0, undefined);
    expect([sent, told]).toEqual([['publish 2 dup', 'pubrel 2'], ['settled 1']]);
  });

  it('are sent once more when that is of another one, which is freed', () => {
    const { departures, session, sent, told } = setUp();
    departures.publish(queued(1, 'a', 'x', { qos: 2 }));
    departures.acknowledged('pubrec', 2, REASON.packetIdentifierInUse, undefined);
    expect(session.released).toEqual([]);
    departures.acknowledged('pubcomp', 2, 0, undefined);
    departures.acknowledged('pubrec', 2, 0, undefined);
    departures.acknowledged('pubcomp', 2, 0, undefined);
    expect([sent, told]).toEqual([['publish 2', 'pubrel 2', 'publish 2', 'pubrel 2'], ['settled 1']]);
  });

  it('of QoS 1 do not overtake those of QoS 2 of their name, which the broker passes on when they are released', () => {
    const { departures, sent, told } = setUp({ released: [1], resent: 1 });
    departures.publish(queued(1, 'a', 'x', { qos: 2 }));
    departures.publish(queued(2, 'b', 'x'));
    departures.publish(queued(3, 'a', 'x', { qos: 2 }));
    departures.publish(queued(4, 'a', 'x'));
    departures.publish(queued(5, 'b', 'x'));
    expect(sent).toEqual(['pubrel 2', 'publish 3', 'publish 4']);
    departures.acknowledged('pubcomp', 2, 0, undefined);
    departures.acknowledged('pubrec', 4, 0, undefined);
    expect(sent.slice(3)).toEqual(['pubrel 4']);
    departures.acknowledged('pubcomp', 4, 0, undefined);
    expect(sent.slice(4)).toEqual(['publish 5', 'publish 6']);
    expect(told).toEqual(['settled 1', 'settled 3']);
  });

  it('stay where they are when the broker only has no room', () => {
    const { departures, told } = setUp();
    departures.publish(queued(1, 'a', 'x'));
    departures.acknowledged('puback', 2, REASON.quotaExceeded, undefined);
    expect(told).toEqual(['it has no room for more messages now']);
  });

  it('release what a broker fell back to, once it has no room for one though it should', () => {
    const { departures, session } = setUp({ resent: 10 });
    departures.publish(queued(3, 'a', 'x', { qos: 2 }));
    departures.acknowledged('pubrec', 4, REASON.quotaExceeded, undefined);
    const next = setUp({ resent: 10, session });
    // One of QoS 1 that is under way has its identifier.
    next.departures.publish(queued(1, 'b', 'x'));
    next.departures.publish(queued(3, 'a', 'x', { qos: 2 }));
    next.departures.publish(queued(4, 'a', 'x', { qos: 2 }));
    expect(next.sent).toEqual(['publish 2 dup', 'pubrel 1', 'pubrel 3', 'publish 4 dup', 'publish 5 dup']);
    for (const id of [1, 3]) next.departures.acknowledged('pubcomp', id, 0, undefined);
    next.departures.acknowledged('pubrec', 4, 0, undefined);
    next.departures.acknowledged('pubcomp', 4, 0, undefined);
    expect(next.told).toEqual(['settled 3']);
    const later = setUp({ resent: 10, session });
    later.departures.publish(queued(4, 'a', 'x', { qos: 2 }));
    expect(later.sent).toEqual(['publish 5 dup']);
  });

  it('release it in each connection of 3.1.1 that goes on, where no broker can say that it has no room', () => {
    const { departures, sent } = setUp({ resent: 10, version: '3.1.1' });
    departures.publish(queued(IDS + 2, 'a', 'x', { qos: 2 }));
    departures.publish(queued(IDS + 3, 'a', 'x', { qos: 2 }));
    expect(sent).toHaveLength(IDS - 16_000 + 2);
    expect([sent[0], ...sent.slice(-4)]).toEqual([
      `pubrel ${16_003}`,
      'pubrel 1',
      'pubrel 2',
      'publish 3 dup',
      'publish 4 dup',
    ]);
    const fresh = setUp({ version: '3.1.1' });
    fresh.departures.publish(queued(2, 'a', 'x', { qos: 2 }));
    expect(fresh.sent).toEqual(['publish 3']);
  });

  it('end the connection when it answers what was not asked', () => {
    const { departures, told } = setUp();
    departures.publish(queued(1, 'a', 'x', { qos: 2 }));
    departures.acknowledged('pubcomp', 2, 0, undefined);
    expect(told).toEqual(['it sent a PUBCOMP where a PUBREC belongs']);
  });
});
