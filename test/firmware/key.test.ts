import { expect, it } from 'vitest';
import { gatewayProof, peerProof } from '../../src/wire/proof.js';
import { CDevice, type CDeviceOptions } from '../support/c-device.js';
import { Doors } from '../support/doors.js';
import type { Faults } from '../support/faulty-wire.js';
import type { Random } from '../support/random.js';
import { Simulation } from '../support/simulation.js';
import { describeWithTools } from '../support/tools.js';
import { type ProofVector, vectors } from '../wire/vectors.js';
import { ascii, Bench, bytes, hex, SMALLEST, TOKEN } from './bench.js';
import type { CClientOptions } from './c-client.js';

const [EXAMPLE] = vectors('proofs') as [ProofVector];
const KEY = bytes(EXAMPLE.key);
/** As its bytes stand on the wire: the boards of these tests have them the other way round. */
const NONCE = 0x01020304;
const HELLO = (proof: string) =>
  `b0 01 00 01020304 00000000 0000 000f c0d102 40 04 04 00 00 05 ${ascii('uno-3')} 03 ${proof}`.replaceAll(
    ' ',
    '',
  );
const BAD_CREDENTIALS = { event: 'refused', reason: 21, id: 0 };

function badFaults(random: Random): Faults {
  return {
    loss: 0.2 * random.next(),
    duplicate: 0.1 * random.next(),
    corrupt: 0.002 * random.next(),
    delay: 20 * random.next(),
    jitter: 20 * random.next(),
  };
}

function keyed(more: Partial<CClientOptions> = {}): Bench {
  return new Bench({ identity: 'uno-3', buffer: 64, key: KEY, ...more });
}

function challenge(bench: Bench, text: string): void {
  bench.give(`b3 16 b0 ${text}`);
}

describeWithTools(['clang', 'wasm-ld'], 'the C client with a key (PROTOCOL.md §4.8)', () => {
  it.each(vectors('proofs'))('makes and demands the proofs of vectors/proofs.json: $name', (vector) => {
    const { identity, key, nonce, token } = vector;
    const swapped = Buffer.alloc(4);
    swapped.writeUInt32LE(nonce);
    const bench = new Bench({ identity, key: bytes(key), nonce: swapped.readUInt32BE() });
    const onWire = (value: number) => value.toString(16).padStart(8, '0');
    const begin = (text: string, proof: string, epoch: number, answer: string, flags: number) => {
      expect(bench.pass(1)[0]).toMatch(/0300$/);
      challenge(bench, text);
      expect(bench.pass(1)).toEqual([expect.stringMatching(new RegExp(`0310${proof}$`))]);
      bench.welcome({ nonce: onWire(nonce), token: onWire(epoch), flags, options: `0308${answer}` });
      expect(bench.pass(1)[0]).toMatch(new RegExp(`^f204${onWire(epoch)}`));
    };
    if (token !== 0) {
      // The epoch that it is to hold.
      const proof = peerProof(bytes(key), Buffer.alloc(8), { nonce, token: 0, identity });
      begin('00'.repeat(8), hex(proof), token, hex(gatewayProof(bytes(key), proof, token)), 0);
      bench.give('b4 02');
    }
    const goesOn = token === vector.welcomeToken;
    begin(vector.challenge, vector.proof, vector.welcomeToken, vector.gatewayProof, goesOn ? 7 : 0);
    bench.give('b8 1000');
    expect(bench.client.connected).toBe(true);
  });

  it('says that it has a key, and repeats its proof as it would its HELLO', () => {
    const bench = keyed();
    expect(bench.pass(1)).toEqual([HELLO('00')]);
    expect(bench.until(400).sent).toEqual([HELLO('00')]);
    challenge(bench, EXAMPLE.challenge);
    expect(bench.pass(1)).toEqual([HELLO(`10${EXAMPLE.proof}`)]);
    expect(bench.until(3000).sent).toEqual([HELLO(`10${EXAMPLE.proof}`)]);
    expect(bench.client.events).toEqual([]);
  });

  it('answers another challenge when the time for its next HELLO has come', () => {
    const bench = keyed();
    bench.pass(1);
    challenge(bench, EXAMPLE.challenge);
    bench.pass(1);
    challenge(bench, '00'.repeat(8));
    expect(bench.pass(100)).toEqual([]);
    const again = peerProof(KEY, Buffer.alloc(8), { nonce: NONCE, token: 0, identity: 'uno-3' });
    expect(bench.until(3000).sent).toEqual([HELLO(`10${hex(again)}`)]);
  });

  it.each([
    ['no proof', ''],
    ['a wrong proof', `0308${'00'.repeat(8)}`],
    ['half a proof', `0304${EXAMPLE.gatewayProof.slice(0, 8)}`],
    ['the proof in another option', `0708${EXAMPLE.gatewayProof}`],
  ])('begins nothing with a gateway that has %s', (_, options) => {
    const bench = keyed();
    bench.pass(1);
    challenge(bench, EXAMPLE.challenge);
    bench.pass(1);
    bench.welcome({ options });
    expect(bench.client.events).toEqual([BAD_CREDENTIALS]);
    const { ms, sent } = bench.until(12_000);
    expect(sent).toEqual([HELLO(`10${EXAMPLE.proof}`)]);
    expect(ms).toBeGreaterThan(6000);
    // The right one may come still.
    bench.welcome({ options: `0308${EXAMPLE.gatewayProof}` });
    expect(bench.pass(1)[0]).toMatch(`f204${TOKEN}`);
  });

  it('begins nothing with a gateway that asks for no proof', () => {
    const bench = keyed();
    bench.pass(1);
    const proof = gatewayProof(KEY, new Uint8Array(16), 0x89abcdef);
    bench.welcome({ options: `0308${hex(proof)}` });
    expect(bench.client.events).toEqual([BAD_CREDENTIALS]);
    expect(bench.pass(100)).toEqual([]);
  });

  it('finds the proof behind another option', () => {
    const bench = keyed();
    bench.pass(1);
    challenge(bench, EXAMPLE.challenge);
    bench.pass(1);
    bench.welcome({ options: `020101 0308${EXAMPLE.gatewayProof}` });
    expect(bench.pass(1)[0]).toMatch(`f204${TOKEN}`);
  });

  it('takes no notice of a challenge that is short, late, or not for it', () => {
    const bench = keyed();
    bench.pass(1);
    challenge(bench, EXAMPLE.challenge.slice(2));
    expect(bench.client.events).toEqual([{ event: 'refused', reason: 22, id: 0 }]);
    const plain = new Bench({ identity: 'uno-3' });
    plain.pass(1);
    challenge(plain, EXAMPLE.challenge);
    expect(plain.client.events).toEqual([{ event: 'refused', reason: 22, id: 0 }]);
    plain.connect();
    challenge(plain, EXAMPLE.challenge);
    expect(plain.pass(100)).toEqual([]);
    expect(plain.client.connected).toBe(true);
  });

  it.each<[string, 'serial' | 'udp', Partial<CDeviceOptions>]>([
    ['a serial line', 'serial', {}],
    ['a serial line, in the smallest build', 'serial', { reliable: false, defines: SMALLEST }],
    ['a serial line, in packets of 50 bytes', 'serial', { buffer: 50 }],
    ['UDP', 'udp', {}],
    ['UDP, with QoS 0 only', 'udp', { reliable: false }],
  ])(
    'connects to the gateway over %s that loses, spoils and repeats, and again after its resets',
    (_, kind, more) => {
      for (let seed = 1; seed <= 8; seed++) {
        const doors = new Doors();
        doors.keys.set('board', KEY);
        const simulation = new Simulation(seed, { access: doors });
        const bad = badFaults(simulation.random);
        const faults = { ...bad };
        const board = () => new CDevice(simulation, 'board', kind, { key: KEY, ...more });
        let device = board();
        const wire = simulation.connect(kind, device, faults);
        for (let boot = 0; boot < 3; boot++) {
          Object.assign(faults, bad);
          simulation.clock.advance(20_000);
          // What is lost of the last tries is said again after 8 s.
          Object.assign(faults, { loss: 0, corrupt: 0 });
          simulation.clock.advance(25_000);
          expect(simulation.hub.sessions.get('board')?.open, `seed ${seed}, boot ${boot}`).toBe(true);
          expect(device.client.connected, `seed ${seed}, boot ${boot}`).toBe(true);
          device.stop();
          device = board();
          wire.restart(device);
        }
      }
    },
  );
});
