import { createHmac, randomBytes } from 'node:crypto';
import type { Counters } from '../counters.js';
import type { UdpAddress } from '../links/udp/udp-link.js';
import { readPacket } from '../session/read-packet.js';
import { MalformedPacket } from '../wire/decode.js';
import { encodePacket } from '../wire/encode.js';
import { controlTypeOf, headOf, qosOf } from '../wire/head.js';
import { COOKIE_BYTES, SPOKEN_VERSIONS } from '../wire/limits.js';
import type { Hello } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import { helloProblem } from './handshake.js';

/** A cookie is good for the slot it was given in and the next: 60 s at least. */
const SLOT_MS = 60_000;
const HELLO_HEAD = headOf({ type: 'hello' } as Hello);

/** The packet that refuses a HELLO. */
export function refuseHello(reason: Reason, detail: Uint8Array = new Uint8Array()): Uint8Array {
  return encodePacket([{ type: 'refuse', reason, head: HELLO_HEAD, detail }]);
}

/** Whether a datagram begins with a HELLO. */
export function isHello(packet: Uint8Array): boolean {
  const head = packet[0] ?? 0;
  return qosOf(head) === 3 && controlTypeOf(head) === 'hello';
}

/**
 * Has peers on UDP prove that an address is theirs before anything is remembered of it (PROTOCOL.md §4.2). What was
 * given to whom is not kept: a cookie is a keyed hash of the address and the time.
 */
export class AddressProof {
  readonly #secret = randomBytes(32);
  readonly #counters: Counters;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** Looks at a datagram for which `isHello` holds. `now` in ms. Returns the packet that answers it while nothing is proved. */
  judge(packet: Uint8Array, from: UdpAddress, now: number): 'proved' | Uint8Array | undefined {
    const messages = readPacket(packet, 'peer', this.#counters);
    if (messages instanceof MalformedPacket) {
      return messages.reason === 'version' ? refuseHello('version', SPOKEN_VERSIONS) : undefined;
    }
    const hello = messages[0] as Hello;
    const problem = helloProblem(hello);
    if (problem) return refuseHello(problem.reason, problem.detail);
    const slot = Math.floor(now / SLOT_MS);
    const good = [slot, slot - 1].some((each) => hello.cookie === this.#cookie(from, each).readUInt32BE());
    return good ? 'proved' : refuseHello('prove_address', this.#cookie(from, slot));
  }

  #cookie({ host, port }: UdpAddress, slot: number): Buffer {
    return createHmac('sha256', this.#secret)
      .update(`${slot} ${port} ${host}`)
      .digest()
      .subarray(0, COOKIE_BYTES);
  }
}
