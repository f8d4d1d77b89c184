import type { Random } from '../support/random.js';
import type { Board } from './board.js';
import { CFirmware } from './c-firmware.js';
import type { Cable, Kind } from './cable.js';
import { Machine } from './machine.js';
import { Traffic } from './traffic.js';
import { TsFirmware } from './ts-firmware.js';
import type { World } from './world.js';

/** A board with the identity of another, which is there (PROTOCOL.md §4.4): it wants nothing, and must not get in. */
export class Twin {
  readonly #machine: Machine;
  readonly #cable: Cable;

  constructor(world: World, { spec }: Board, kind: Kind, random: Random) {
    this.#machine = new Machine(world.clock, () => undefined);
    const delay = 5;
    const traffic = new Traffic(() => world.clock.now());
    this.#cable = world.cable({
      kind,
      address: `twin.${random.u32()}`,
      wire: `twin of ${spec.name}`,
      faults: { loss: 0, duplicate: 0, corrupt: 0, delay, jitter: 0 },
      traffic,
      toBoard: (bytes) => this.#machine.run(() => firmware?.receive(bytes)),
    });
    const Client = spec.engine === 'c' ? CFirmware : TsFirmware;
    const nothing = () => undefined;
    let firmware: CFirmware | TsFirmware | undefined;
    this.#machine.run(() => {
      firmware = new Client({
        machine: this.#machine,
        spec: { ...spec, kind },
        countsEdges: false,
        wishes: new Map(),
        random32: () => random.u32(),
        random: () => random.next(),
        compose: () => '',
        unsend: nothing,
        settled: nothing,
        confirmed: nothing,
        gone: nothing,
        will: nothing,
        willConfirmed: nothing,
        delivered: ({ text }) => world.ledger.violate(`the twin of ${spec.name} was given ${text}`),
        refused: nothing,
        send: (bytes) => this.#cable.boardSends(bytes),
        disconnect: nothing,
      });
    });
    if (world.connect(this.#cable)) this.#machine.run(() => firmware?.linkUp(this.#cable));
  }

  /** It is unplugged, and everybody told. */
  goAway(world: World): void {
    this.#machine.die();
    world.hangUp(this.#cable);
  }
}
