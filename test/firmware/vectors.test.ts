import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { Bench, bytes, hex } from './bench.js';
import { ROOT } from './build.js';

interface PacketVector {
  name: string;
  from: 'peer' | 'gateway';
  hex: string;
  messages?: {
    type: string;
    qos?: number;
    name?: string;
    id?: number;
    gatewayId?: boolean;
    payload?: string;
  }[];
  error?: string;
}

interface FrameVector {
  name: string;
  hex: string;
  packets: string[];
  maxPacket: number;
  drops?: boolean;
  error?: string;
}

function vectors<T>(file: string): T[] {
  return JSON.parse(readFileSync(join(ROOT, 'firmware-protocol/vectors', file), 'utf8')) as T[];
}

/** What shows whether anything was acted on. */
function effects({ client }: Bench) {
  const { unexpected, duplicates, gaps, unclaimed } = client.counters;
  const { received, events, connected } = client;
  return { received: [...received], events: [...events], connected, unexpected, duplicates, gaps, unclaimed };
}

/** A board in every state that a packet may find it in. */
const STATES: [name: string, make: () => Bench][] = [
  [
    'greeting',
    () => {
      const bench = new Bench();
      bench.pass(1);
      return bench;
    },
  ],
  [
    'ready',
    () => {
      const bench = new Bench();
      bench.client.subscribe('#', 2);
      bench.connect({ nextOut: 1 });
      return bench;
    },
  ],
];

describeWithTools(['clang', 'wasm-ld'], 'the C client and the shared vectors', () => {
  const packets = vectors<PacketVector>('packets.json');
  // What is malformed from a peer is so from the gateway too, but for what only a gateway may send.
  const fineFromGateway = /^(WELCOME from the wrong side|TIME from the peer with a time)$/;
  // Whether a name is UTF-8 and how a message that only peers send is built, a board does not look.
  const notLookedAt = /UTF-8|overlong|surrogate|last character/;
  const invalid = packets.filter(
    ({ error, name }) => error && !fineFromGateway.test(name) && !notLookedAt.test(name),
  );
  const valid = packets.filter(({ messages, from }) => messages && from === 'gateway');

  for (const [state, make] of STATES) {
    it(`counts what is malformed and does nothing else (${state})`, () => {
      expect(invalid.length).toBeGreaterThan(10);
      for (const { name, hex: packet, error } of invalid) {
        const bench = make();
        const before = effects(bench);
        bench.give(packet);
        expect(bench.client.counter('malformed'), name).toBe(1);
        expect(effects(bench), name).toEqual(before);
        // §10: what a later version might send is refused by its head, here the last one of the packet that has F.
        const refusals = bench.sent();
        if (error === 'unsupported' && state === 'ready')
          expect(refusals, name).toEqual([expect.stringMatching(/^b30f[89]/)]);
        else expect(refusals, name).toEqual([]);
      }
    });

    it(`finds nothing wrong with what is valid (${state})`, () => {
      expect(valid.length).toBeGreaterThan(10);
      for (const { name, hex: packet, messages = [] } of valid) {
        const bench = make();
        bench.client.received.splice(0);
        bench.give(packet);
        expect(bench.client.counter('malformed'), name).toBe(0);
        const emits = messages.filter(({ type, qos }) => type === 'emit' && qos === 0);
        if (state === 'ready') {
          expect(
            bench.client.received.map(({ payload }) => hex(payload)),
            name,
          ).toEqual(emits.map(({ payload }) => payload));
        }
      }
    });
  }

  // A WELCOME must fit, or there is no session to see packets in (§3.2).
  const largeEnough = ({ maxPacket }: FrameVector) => maxPacket >= 48;

  it('cuts a serial line into the same packets', () => {
    for (const vector of vectors<FrameVector>('serial-frames.json').filter(largeEnough)) {
      for (const step of [1, 10_000]) {
        const bench = new Bench({ framing: 'serial', buffer: Math.min(vector.maxPacket, 1472) + 2 });
        bench.client.subscribe('#');
        bench.connect();
        expectPackets(bench, vector, step);
      }
    }
  });

  it('cuts a stream into the same packets', () => {
    for (const vector of vectors<FrameVector>('tcp-frames.json').filter(largeEnough)) {
      for (const step of [1, 10_000]) {
        const bench = new Bench({ framing: 'stream', buffer: Math.min(vector.maxPacket, 1472) });
        bench.client.subscribe('#');
        bench.connect();
        const open = expectPackets(bench, vector, step);
        expect(open, vector.name).toBe(vector.error === undefined);
      }
    }
  });

  function expectPackets(bench: Bench, vector: FrameVector, step: number): boolean {
    const line = bytes(vector.hex);
    let open = true;
    for (let at = 0; at < line.length; at += step)
      open &&= bench.client.receive(line.subarray(at, at + step));
    const payloads = vector.packets.flatMap((packet) => {
      if (/^8[02]/.test(packet)) return [packet.slice(4)];
      if (packet.startsWith('84')) return [packet.slice(4 + 2 * Number.parseInt(packet.slice(2, 4), 16))];
      return [];
    });
    expect(
      bench.client.received.map(({ payload }) => hex(payload)),
      vector.name,
    ).toEqual(payloads);
    return open;
  }
});
