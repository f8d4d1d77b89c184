import { FrameEncoder } from '../../src/links/serial/slip.js';
import { Splitter } from '../../src/links/serial/splitter.js';
import type { Random } from './random.js';
import type { VirtualClock } from './virtual-clock.js';

/** Chances are per packet. Delays in ms. */
export interface Faults {
  loss: number;
  duplicate: number;
  /** Of a byte on the serial line to be flipped, per packet. */
  corrupt: number;
  delay: number;
  /** Up to so much more, each packet by itself: what makes datagrams overtake each other. */
  jitter: number;
}

export const NO_FAULTS: Faults = { loss: 0, duplicate: 0, corrupt: 0, delay: 1, jitter: 0 };

export interface Wire {
  send(packet: Uint8Array): void;
}

/** One direction of UDP: packets are lost, repeated and reordered. */
export function datagramWire(
  clock: VirtualClock,
  random: Random,
  faults: Faults,
  arrive: (packet: Uint8Array) => void,
): Wire {
  const deliver = (packet: Uint8Array) => {
    clock.schedule(faults.delay + random.next() * faults.jitter, () => arrive(packet));
  };
  return {
    send(packet) {
      const copy = packet.slice();
      if (random.chance(faults.loss)) return;
      deliver(copy);
      if (random.chance(faults.duplicate)) deliver(copy);
    },
  };
}

/**
 * One direction of a serial line: real frames, bytes that are flipped or lost, order kept. A CRC of 16 bits lets one in
 * 65,536 spoiled frames pass, and nothing behind it could tell: those, which a simulation of this size meets, are left out.
 */
export function serialWire(
  clock: VirtualClock,
  random: Random,
  faults: Faults,
  maxPacket: number,
  arrive: (packet: Uint8Array) => void,
): Wire {
  const encoder = new FrameEncoder();
  const sent = new Set<string>();
  const splitter = new Splitter(maxPacket, {
    packet: (packet) => {
      if (sent.has(Buffer.from(packet).toString('latin1'))) arrive(packet);
    },
    line: () => undefined,
    drop: () => undefined,
  });
  let free = 0;
  return {
    send(packet) {
      sent.add(Buffer.from(packet).toString('latin1'));
      let frame: Uint8Array = Uint8Array.from(encoder.encode(packet));
      if (random.chance(faults.corrupt)) {
        const at = random.below(frame.length);
        frame[at] = (frame[at] as number) ^ (1 << random.below(8));
      }
      if (random.chance(faults.loss)) frame = frame.subarray(0, random.below(frame.length));
      // 115200 baud: 11.52 bytes a millisecond.
      free = Math.max(free, clock.now()) + frame.length / 11.52;
      clock.schedule(free - clock.now() + faults.delay, () => splitter.push(Buffer.from(frame)));
    },
  };
}
