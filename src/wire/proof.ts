import { createHmac } from 'node:crypto';
import { GATEWAY_PROOF_BYTES, PEER_PROOF_BYTES } from './limits.js';
import type { Hello } from './messages.js';

/** What a proof is made of begins with whose it is, so that neither side's can be sent back as the other's. */
const PEER = 1;
const GATEWAY = 2;

/**
 * What a peer that has `key` answers to a gateway's challenge (PROTOCOL.md §4.8): good for this HELLO's boot, epoch and
 * identity alone.
 * @param key KEY_BYTES
 * @param challenge CHALLENGE_BYTES
 * @returns PEER_PROOF_BYTES
 */
export function peerProof(
  key: Uint8Array,
  challenge: Uint8Array,
  { nonce, token, identity }: Pick<Hello, 'nonce' | 'token' | 'identity'>,
): Uint8Array {
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(nonce, 0);
  numbers.writeUInt32BE(token, 4);
  return createHmac('sha256', key)
    .update(Uint8Array.of(PEER))
    .update(challenge)
    .update(numbers)
    .update(identity)
    .digest()
    .subarray(0, PEER_PROOF_BYTES);
}

/**
 * What a gateway that has the peer's key says in the WELCOME of the epoch `token` (§4.8).
 * @param proof The peer's, which this answers.
 * @returns GATEWAY_PROOF_BYTES
 */
export function gatewayProof(key: Uint8Array, proof: Uint8Array, token: number): Uint8Array {
  const epoch = Buffer.alloc(4);
  epoch.writeUInt32BE(token);
  return createHmac('sha256', key)
    .update(Uint8Array.of(GATEWAY))
    .update(proof)
    .update(epoch)
    .digest()
    .subarray(0, GATEWAY_PROOF_BYTES);
}
