import { crc16 } from '../../src/wire/crc.js';
import type { Random } from './random.js';
import type { VirtualClock } from './virtual-clock.js';

/** Chances are per packet. Delays in ms. */
export interface Faults {
  loss: number;
  duplicate: number;
  /** Of a bit on the serial line to be flipped, per packet. */
  corrupt: number;
  delay: number;
  /** Up to so much more, each packet by itself: what makes datagrams overtake each other. */
  jitter: number;
  /** A datagram that arrives once more, up to LATE_MS after it was sent. */
  late?: number;
}

/** Long enough for whole sessions to come and go in between. */
const LATE_MS = 20_000;

export const NO_FAULTS: Faults = { loss: 0, duplicate: 0, corrupt: 0, delay: 1, jitter: 0 };

/** One direction of a link: takes a datagram, or a serial frame, as it leaves. */
export interface Wire {
  send(bytes: Uint8Array): void;
}

/** One direction of UDP: datagrams are lost, repeated and reordered. */
export function datagramWire(
  clock: VirtualClock,
  random: Random,
  faults: Faults,
  arrive: (datagram: Uint8Array) => void,
): Wire {
  const deliver = (datagram: Uint8Array, later = 0) => {
    clock.schedule(faults.delay + random.next() * faults.jitter + later, () => {
      const bytes = new Uint8Array(datagram);
      arrive(bytes);
      // Whoever kept a view of it finds rubbish there.
      bytes.fill(0xee);
    });
  };
  return {
    send(datagram) {
      const copy = new Uint8Array(datagram);
      if (random.chance(faults.loss)) return;
      deliver(copy);
      if (random.chance(faults.duplicate)) deliver(copy);
      if (faults.late && random.chance(faults.late)) deliver(copy, random.next() * LATE_MS);
    },
  };
}

/** 115200 baud with 8N1, in bytes a millisecond. */
const LINE_RATE = 11.52;

/** One direction of a serial line: bits are flipped, frames cut short, order kept, at the pace of the line. */
export function serialWire(
  clock: VirtualClock,
  random: Random,
  faults: Faults,
  arrive: (bytes: Uint8Array) => void,
): Wire {
  let free = 0;
  return {
    send(frame) {
      let bytes = Uint8Array.from(frame);
      if (random.chance(faults.corrupt)) {
        const at = random.below(bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      }
      if (random.chance(faults.loss)) bytes = bytes.subarray(0, random.below(bytes.length));
      free = Math.max(free, clock.now()) + frame.length / LINE_RATE;
      if (!passesUnnoticed(bytes, frame))
        clock.schedule(free - clock.now() + faults.delay, () => arrive(bytes));
    },
  };
}

/**
 * A CRC of 16 bits lets one in 65,536 spoiled frames pass, and nothing behind it could tell. A simulation of this size
 * meets such frames: they are lost whole instead.
 */
function passesUnnoticed(spoiled: Uint8Array, frame: Uint8Array): boolean {
  if (Buffer.from(spoiled).equals(frame)) return false;
  return Buffer.from(spoiled)
    .toString('latin1')
    .split('\xc0')
    .map((text) => Buffer.from(text.replaceAll('\xdb\xdc', '\xc0').replaceAll('\xdb\xdd', '\xdb'), 'latin1'))
    .some((packet) => packet.length > 2 && crc16(packet) === 0);
}
