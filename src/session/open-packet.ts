import type { Counters } from '../counters.js';
import { MalformedPacket, PacketReader } from '../wire/decode.js';

/** A packet that `from` sent, to be read; or, counted, what is wrong with it: then nothing in it counts (PROTOCOL.md §2). */
export function openPacket(
  packet: Uint8Array,
  from: 'peer' | 'gateway',
  counters: Counters,
): PacketReader | MalformedPacket {
  const reader = new PacketReader(packet, from);
  try {
    reader.check();
    return reader;
  } catch (error) {
    if (!(error instanceof MalformedPacket)) throw error;
    counters.add(`session.drop.${error.reason}`);
    return error;
  }
}
