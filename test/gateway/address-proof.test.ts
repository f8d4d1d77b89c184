import { describe, expect, it } from 'vitest';
import { Counters } from '../../src/counters.js';
import { AddressProof } from '../../src/gateway/address-proof.js';
import { decodePacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Refuse } from '../../src/wire/messages.js';
import { hello } from '../support/raw-peers.js';

const HERE = { host: '192.0.2.7', port: 5000 };
const MINUTE = 60_000;

/** The cookie that `proof` gives to an address at a time. */
function cookieOf(proof: AddressProof, from: typeof HERE, now: number): number {
  expect(proof.judge(encodePacket([hello('board')]), from, now)).toBe('unproved');
  const [refuse] = decodePacket(proof.ask(from, now), 'gateway') as [Refuse];
  expect(refuse).toMatchObject({ type: 'refuse', reason: 'prove_address', head: 0xb0 });
  return Buffer.from(refuse.detail).readUInt32BE();
}

describe('the proof of an address', () => {
  const proof = new AddressProof(new Counters());
  const greet = (cookie: number, from = HERE, now = 0) =>
    proof.judge(encodePacket([hello('board', { cookie })]), from, now);

  it('is the cookie that was sent there', () => {
    expect(greet(cookieOf(proof, HERE, 0))).toBe('proved');
  });

  it('holds for a minute at least, and not for ever', () => {
    const cookie = cookieOf(proof, HERE, 0.9 * MINUTE);
    expect(greet(cookie, HERE, 1.9 * MINUTE)).toBe('proved');
    expect(greet(cookie, HERE, 3 * MINUTE)).toBe('unproved');
  });

  it('does not hold for another address, another port, or another gateway', () => {
    const cookie = cookieOf(proof, HERE, 0);
    expect(greet(cookie, { ...HERE, host: '192.0.2.8' })).toBe('unproved');
    expect(greet(cookie, { ...HERE, port: 5001 })).toBe('unproved');
    expect(greet(cookieOf(new AddressProof(new Counters()), HERE, 0))).toBe('unproved');
  });

  it('is asked for in fewer bytes than came', () => {
    const packet = encodePacket([hello('b')]);
    expect(proof.ask(HERE, 0).length).toBeLessThan(packet.length);
  });
});
