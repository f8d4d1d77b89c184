import { type Fate, type Faults, type PacketFaults, randomFate } from '../support/faulty-wire.js';
import { Random } from '../support/random.js';

/** What happened to one packet: the one of that number, from 0, on that wire. */
export interface PacketFault {
  readonly wire: string;
  readonly packet: number;
  readonly fault: PacketFaults;
}

/**
 * Decides what happens to each packet: drawn from the seed and written down, or as written down before, so that a run can be
 * repeated with some of its faults left out.
 */
export class FaultPlan {
  readonly #seed: number;
  readonly #replayed: ReadonlyMap<string, PacketFaults> | undefined;
  readonly recorded: PacketFault[] = [];
  /** From then on nothing happens any more. */
  over = false;

  constructor(seed: number, replayed?: readonly PacketFault[]) {
    this.#seed = seed;
    this.#replayed =
      replayed && new Map(replayed.map(({ wire, packet, fault }) => [`${wire}#${packet}`, fault]));
  }

  /** Each wire has its own stream of random numbers: what happens on one does not depend on the others. */
  fateOf(
    wire: string,
    faults: Faults,
    kind: 'serial' | 'udp' | 'tcp',
    tell: (fault: PacketFault) => void,
  ): Fate {
    const drawn = randomFate(new Random(this.#seed ^ hash(wire)), faults, kind);
    let packet = -1;
    return () => {
      packet++;
      if (this.over) return undefined;
      const fault = this.#replayed ? this.#replayed.get(`${wire}#${packet}`) : drawn();
      if (fault) {
        const happened = { wire, packet, fault };
        this.recorded.push(happened);
        tell(happened);
      }
      return fault;
    };
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
