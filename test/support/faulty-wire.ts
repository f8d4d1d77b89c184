import type { Random } from './random.js';
import type { VirtualClock } from './virtual-clock.js';

/** Chances are per packet. Times in ms. */
export interface Faults {
  /** Of a datagram to be lost; of a serial frame to be cut short, all of it perhaps. */
  loss: number;
  duplicate: number;
  /** Of bits to be flipped. UDP's checksum makes that a loss. */
  corrupt: number;
  delay: number;
  /** Up to so much more, each datagram by itself: what makes them overtake each other. */
  jitter: number;
  /** Of a datagram to arrive once more, up to LATE_MS after it was sent. */
  late?: number;
  /** Of rubbish on a serial line before the packet. */
  noise?: number;
  /** Of everything to stand still for up to STALL_MS, then to come at once. */
  stall?: number;
  /** Of the bytes of a serial line or a connection to arrive in several pieces. */
  split?: number;
}

/** Long enough for whole sessions to come and go in between; most that are late are much less so. */
export const LATE_MS = 20_000;
const STALL_MS = 3000;

export const NO_FAULTS: Faults = { loss: 0, duplicate: 0, corrupt: 0, delay: 1, jitter: 0 };

/** What happens to one packet on its way. Places are any integers: they count modulo the packet's length. */
export interface PacketFaults {
  lost?: true;
  /** Only the bytes before this place arrive. */
  cutAt?: number;
  /** Bits that are flipped, three at most. */
  flips?: readonly number[];
  /** Bytes that come before it. */
  noise?: readonly number[];
  /** It takes so much longer, ms. */
  delay?: number;
  /** It comes again, so much later than the first, ms. */
  copies?: readonly number[];
  /** It, and all behind it, waits so long, ms. */
  stall?: number;
  /** Places at which it is cut into pieces that arrive a little apart. */
  pieces?: readonly number[];
}

/** Asked for every packet that a wire is given. */
export type Fate = () => PacketFaults | undefined;

/** Draws the fate of packets. Nothing is drawn for what has no chance, so that faults can be added without changing others. */
export function randomFate(random: Random, faults: Faults, kind: 'serial' | 'udp' | 'tcp'): Fate {
  const hits = (chance: number | undefined) => chance !== undefined && chance > 0 && random.chance(chance);
  return () => {
    const fate: PacketFaults = {};
    if (kind === 'udp') {
      if (hits(faults.loss) || hits(faults.corrupt)) fate.lost = true;
      if (faults.jitter > 0) fate.delay = random.next() * faults.jitter;
      const copies: number[] = [];
      if (hits(faults.duplicate)) copies.push(random.next() * faults.jitter);
      if (hits(faults.late)) copies.push(random.next() ** 3 * LATE_MS);
      if (copies.length > 0) fate.copies = copies;
    }
    if (kind === 'serial') {
      if (hits(faults.loss)) fate.cutAt = random.u32();
      if (hits(faults.corrupt)) fate.flips = Array.from({ length: 1 + random.below(3) }, () => random.u32());
      if (hits(faults.noise)) fate.noise = [...random.bytes(1 + random.below(20))];
    }
    if (hits(faults.stall)) fate.stall = random.next() * STALL_MS;
    if (kind !== 'udp' && hits(faults.split))
      fate.pieces = Array.from({ length: 1 + random.below(3) }, () => random.u32());
    return Object.keys(fate).length > 0 ? fate : undefined;
  };
}

/** One direction of a link: takes a datagram, a serial frame or a piece of a stream as it leaves. */
export interface Wire {
  send(bytes: Uint8Array): void;
}

/** One direction of UDP, `delay()` ms long: datagrams are lost, repeated and reordered. */
export function datagramWire(
  clock: VirtualClock,
  delay: () => number,
  fateOf: Fate,
  arrive: (datagram: Uint8Array) => void,
): Wire {
  let freeAt = 0;
  const deliver = (datagram: Uint8Array, at: number) => {
    clock.schedule(at - clock.now(), () => {
      const bytes = new Uint8Array(datagram);
      arrive(bytes);
      // Whoever kept a view of it finds rubbish there.
      bytes.fill(0xee);
    });
  };
  return {
    send(datagram) {
      const fate = fateOf() ?? {};
      if (fate.stall) freeAt = Math.max(freeAt, clock.now()) + fate.stall;
      const at = Math.max(clock.now() + delay() + (fate.delay ?? 0), freeAt);
      const copy = new Uint8Array(datagram);
      if (!fate.lost) deliver(copy, at);
      for (const later of fate.copies ?? []) deliver(copy, at + later);
    },
  };
}

/** 115200 baud with 8N1, in bytes a millisecond. */
const LINE_RATE = 11.52;
/** Between two pieces of what was sent as one, ms. */
const PIECES_APART_MS = 2;

/**
 * One direction of a serial line, or of a connection, `delay()` ms long: order is kept, at the pace of a line; bits are flipped, frames cut
 * short and put into pieces. Nothing here keeps a spoiled frame from passing its CRC: see crc-collisions.ts.
 */
export function byteWire(
  clock: VirtualClock,
  delay: () => number,
  fateOf: Fate,
  arrive: (bytes: Uint8Array) => void,
): Wire {
  let freeAt = 0;
  return {
    send(frame) {
      const fate = fateOf() ?? {};
      freeAt = Math.max(freeAt, clock.now() + (fate.stall ?? 0)) + frame.length / LINE_RATE;
      if (fate.lost) return;
      const bytes = spoil(frame, fate);
      const cuts = (fate.pieces ?? []).map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
      let from = 0;
      for (const to of [...cuts, bytes.length]) {
        const piece = bytes.slice(from, to);
        if (from > 0) freeAt += PIECES_APART_MS;
        from = to;
        if (piece.length > 0) clock.schedule(freeAt - clock.now() + delay(), () => arrive(piece));
      }
    },
  };
}

function spoil(frame: Uint8Array, { noise, flips, cutAt }: PacketFaults): Uint8Array {
  const bytes = cutAt === undefined ? Uint8Array.from(frame) : frame.slice(0, cutAt % frame.length);
  for (const flip of bytes.length > 0 ? (flips ?? []) : []) {
    const at = (flip >>> 3) % bytes.length;
    bytes[at] = (bytes[at] as number) ^ (1 << (flip & 7));
  }
  return noise ? Uint8Array.from([...noise, ...bytes]) : bytes;
}
