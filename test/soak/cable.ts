import { CrcCollisions } from '../support/crc-collisions.js';
import { byteWire, datagramWire, type Faults, type Wire } from '../support/faulty-wire.js';
import type { VirtualClock } from '../support/virtual-clock.js';
import type { FaultPlan, PacketFault } from './fault-plan.js';
import type { Traffic } from './traffic.js';

export type Kind = 'serial' | 'udp' | 'tcp';

/** What is at an end of a cable: bytes of a line or a connection, or a datagram. */
export type Receiver = (bytes: Uint8Array) => void;

export interface CableOptions {
  readonly kind: Kind;
  /** What the gateway calls it: a port, or an address. */
  readonly address: string;
  /** Its two wires' names in the fault plan begin with this. */
  readonly wire: string;
  readonly faults: Faults;
  readonly toBoard: Receiver;
  readonly toGateway: Receiver;
  readonly fault: (fault: PacketFault) => void;
  /** Of the board, over all its cables. */
  readonly traffic: Traffic;
}

/** What connects one board to the gateway: a serial line, a path for datagrams, a TCP connection. */
export class Cable {
  readonly kind: Kind;
  readonly address: string;
  /** What the board and the gateway put on the line: for whoever receives it, to know it again. */
  readonly fromBoard = new CrcCollisions();
  readonly fromGateway = new CrcCollisions();
  /** Nothing gets through, and nobody is told. */
  mute = false;
  /** Pulled out for good. What was sent as datagrams still arrives. */
  pulled = false;
  packets = 0;
  readonly #traffic: Traffic;
  readonly #toBoard: Wire;
  readonly #toGateway: Wire;

  constructor(clock: VirtualClock, plan: FaultPlan, options: CableOptions) {
    const { kind, faults, wire } = options;
    this.#traffic = options.traffic;
    this.kind = kind;
    this.address = options.address;
    const direction = (name: string, arrive: Receiver): Wire => {
      const fate = plan.fateOf(`${wire}${name}`, faults, kind, options.fault);
      const make = kind === 'udp' ? datagramWire : byteWire;
      return make(
        clock,
        () => faults.delay,
        fate,
        (bytes) => {
          if (kind === 'udp' || !this.pulled) arrive(bytes);
        },
      );
    };
    this.#toBoard = direction('<', options.toBoard);
    this.#toGateway = direction('>', options.toGateway);
  }

  boardSends(bytes: Uint8Array): void {
    if (this.kind === 'serial') this.fromBoard.note(bytes);
    this.#send(this.#toGateway, bytes);
  }

  gatewaySends(bytes: Uint8Array): void {
    if (this.kind === 'serial') this.fromGateway.note(bytes);
    this.#send(this.#toBoard, bytes);
  }

  #send(wire: Wire, bytes: Uint8Array): void {
    this.packets++;
    this.#traffic.count();
    if (!this.mute && !this.pulled) wire.send(bytes);
  }
}
