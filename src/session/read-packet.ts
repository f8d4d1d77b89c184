import type { Counters } from '../counters.js';
import { decodePacket, MalformedPacket } from '../wire/decode.js';
import type { Message } from '../wire/messages.js';

/** The messages of a packet that `from` sent; or, counted, what is wrong with it: then nothing in it counts (PROTOCOL.md §2). */
export function readPacket(
  packet: Uint8Array,
  from: 'peer' | 'gateway',
  counters: Counters,
): Message[] | MalformedPacket {
  try {
    return decodePacket(packet, from);
  } catch (error) {
    if (!(error instanceof MalformedPacket)) throw error;
    counters.add(`session.drop.${error.reason}`);
    return error;
  }
}
