import { createHmac, randomBytes } from 'node:crypto';
import type { Counters } from '../counters.js';
import type { UdpAddress } from '../links/udp/udp-link.js';
import { openPacket } from '../session/open-packet.js';
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

  /**
   * Looks at a datagram for which `isHello` holds. `now` in ms. An `unproved` one is to be answered with what `ask` gives;
   * a packet that is returned is the answer to what is no good HELLO.
   */
  judge(packet: Uint8Array, from: UdpAddress, now: number): 'proved' | 'unproved' | Uint8Array | undefined {
    const messages = openPacket(packet, 'peer', this.#counters);
    if (messages instanceof MalformedPacket) {
      return messages.reason === 'version' ? refuseHello('version', SPOKEN_VERSIONS) : undefined;
    }
    const hello = messages.next() as Hello;
    const problem = helloProblem(hello);
    if (problem) return refuseHello(problem.reason, problem.detail);
    const { cookie } = hello;
    if (cookie === undefined) return 'unproved';
    // Of this slot or the one before it: the cookie itself says which.
    const slot = slotAt(now) - ((slotAt(now) ^ cookie) & 1);
    return cookie === this.#cookie(from, slot) ? 'proved' : 'unproved';
  }

  /** The packet that asks the sender of a HELLO to prove its address. */
  ask(from: UdpAddress, now: number): Uint8Array {
    const cookie = Buffer.alloc(COOKIE_BYTES);
    cookie.writeUInt32BE(this.#cookie(from, slotAt(now)));
    return refuseHello('prove_address', cookie);
  }

  /** 31 bits that only this gateway can know, and the last of the slot's number. */
  #cookie({ host, port }: UdpAddress, slot: number): number {
    const hash = createHmac('sha256', this.#secret).update(`${slot} ${port} ${host}`).digest();
    return ((hash.readUInt32BE() & ~1) | (slot & 1)) >>> 0;
  }
}

function slotAt(now: number): number {
  return Math.floor(now / SLOT_MS);
}
