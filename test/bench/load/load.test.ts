import { describe, expect, test } from 'vitest';
import { Random } from '../../support/random.js';
import { forSeeds } from '../../support/seeds.js';
import type { Connection } from './connection.js';
import { Flow } from './flow.js';
import { Tally, writePayload } from './payload.js';
import { speakerFor } from './speakers.js';
import type { DialectName, TcpLoad } from './tcp-load.js';

const LOAD: TcpLoad = {
  dialect: 'slipway',
  channel: 'bench',
  publishers: 2,
  subscribers: 1,
  payloadBytes: 24,
  qos: 0,
  block: 8,
  window: 2,
  cycle: 4,
  perPacket: 3,
};

function payload(publisher: number, index: number): DataView {
  const bytes = Buffer.alloc(LOAD.payloadBytes);
  writePayload(bytes, publisher, index);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

describe('a tally', () => {
  const tally = () => new Tally(0, LOAD, () => {});
  const take = (one: Tally, view: DataView) => one.take(view, 0, view.byteLength);

  test('counts what each publisher sends in order, over and over', () => {
    const blocks: number[] = [];
    const one = new Tally(0, LOAD, (publisher) => blocks.push(publisher));
    for (let n = 0; n < 80; n++) for (const publisher of [0, 1]) take(one, payload(publisher, n % 32));
    expect(one.received).toBe(160);
    expect(blocks.length).toBe(20);
  });

  test.each([
    ['lost', 1],
    ['said again', 31],
  ])('sees that one was %s', (_, index) => {
    expect(() => take(tally(), payload(0, index))).toThrow('came where 0 should have');
  });

  test('sees every bit that changed', () => {
    for (let bit = 0; bit < LOAD.payloadBytes * 8; bit++) {
      const view = payload(1, 0);
      view.setUint8(bit >> 3, view.getUint8(bit >> 3) ^ (1 << (bit & 7)));
      expect(() => take(tally(), view), `bit ${bit}`).toThrow('changed');
    }
  });

  test('sees that one came short', () => {
    expect(() => tally().take(payload(0, 0), 0, 23)).toThrow('came with 23');
  });
});

describe('a flow', () => {
  test('lets a publisher go as far ahead of the slowest subscriber as the window allows', () => {
    const flow = new Flow(1, 2, 2);
    expect([flow.send(0), flow.send(0), flow.send(0)]).toEqual([0, 1, -1]);
    flow.tell(0, 0);
    flow.tell(0, 0);
    expect(flow.send(0)).toBe(-1);
    flow.tell(0, 1);
    expect([flow.send(0), flow.send(0)]).toEqual([2, -1]);
    expect(flow.onTheWay).toBe(2);
  });
});

/** What a subscriber of that load counts of `stream`, cut by chance; all of it is used. */
function countedOf(stream: Buffer, load: TcpLoad, connection: Connection, seed: number): number {
  const random = new Random(seed);
  const tally = new Tally(0, load, () => {});
  const subscriber = speakerFor(connection, load, { kind: 'subscriber', number: 0, tally });
  let rest = Buffer.alloc(0);
  for (let at = 0; at < stream.length; ) {
    const size = 1 + random.below(100);
    const bytes = Buffer.from(Uint8Array.from([...rest, ...stream.subarray(at, at + size)]));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    rest = bytes.subarray(subscriber.read(bytes, view, bytes.length));
    at += size;
  }
  expect(rest.length).toBe(0);
  return tally.received;
}

describe('what is delivered', () => {
  test.each<[DialectName, 0 | 1]>([
    ['slipway', 0],
    ['slipway', 1],
    ['nats', 0],
    ['mqtt', 0],
    ['mqtt', 1],
    ['frames', 0],
  ])('in %s at QoS %i is read however it is cut', (dialect, qos) => {
    const load = { ...LOAD, dialect, qos };
    const written: Uint8Array[] = [];
    const connection = { write: (bytes: Uint8Array) => written.push(bytes) } as unknown as Connection;
    const publisher = speakerFor(connection, load, { kind: 'publisher', number: 1, acknowledged: () => {} });
    const stream = Buffer.concat(publisher.blocks((payloads, first) => publisher.delivery(payloads, first)));
    forSeeds(50, (seed) => {
      expect(countedOf(stream, load, connection, seed)).toBe(load.block * load.cycle);
    });
    expect(written.length > 0).toBe(qos > 0);
  });
});

test('a message of NATS is read however its line looks, and however it is cut', () => {
  const load: TcpLoad = { ...LOAD, dialect: 'nats' };
  const connection = { write: () => {} } as unknown as Connection;
  const lines = [
    'MSG bench 1 24',
    'MSG bench 1 _INBOX.a.1 24',
    'HMSG bench 1 31 55',
    'HMSG bench 1 _INBOX.a.22 31 55',
  ];
  const headers = Buffer.from('NATS/1.0\r\nSlipway-Via: ab\r\n\r\n'.padEnd(31, ' ').slice(0, 31));
  const stream = Buffer.concat(
    Array.from({ length: 32 }, (_, index) => {
      const line = lines[index % lines.length] as string;
      const { buffer, byteOffset } = payload(1, index);
      const body = Buffer.from(buffer, byteOffset, LOAD.payloadBytes);
      const before = line.startsWith('H') ? headers : Buffer.alloc(0);
      return Buffer.concat([Buffer.from(`${line}\r\n`), before, body, Buffer.from('\r\n')]);
    }),
  );
  forSeeds(50, (seed) => {
    expect(countedOf(stream, load, connection, seed)).toBe(32);
  });
});

describe('MQTT packet ids', () => {
  test('are never 0, and never the same for two messages on their way, at the end of the cycle either', () => {
    const load: TcpLoad = { ...LOAD, dialect: 'mqtt', qos: 1, block: 256, window: 8, cycle: 256 };
    const publisher = speakerFor(undefined as unknown as Connection, load, {
      kind: 'publisher',
      number: 0,
      acknowledged: () => {},
    });
    const ids: number[] = [];
    for (let first = 0; first < load.block * load.cycle; first += load.block) {
      const acknowledgements = publisher.acknowledgement(first);
      for (let at = 0; at < acknowledgements.length; at += 4) ids.push(acknowledgements.readUInt16BE(at + 2));
    }
    expect(ids).not.toContain(0);
    const lastSeen = new Map<number, number>();
    let closest = Number.POSITIVE_INFINITY;
    for (const [n, id] of [...ids, ...ids].entries()) {
      closest = Math.min(closest, n - (lastSeen.get(id) ?? Number.NEGATIVE_INFINITY));
      lastSeen.set(id, n);
    }
    expect(closest).toBeGreaterThan(load.block * load.window);
  });
});
