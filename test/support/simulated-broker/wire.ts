import type { SimulatedBroker } from './broker.js';

/** One direction of a connection: it keeps the order, takes its time, and ends somewhere in the middle when it is cut. */
export class Wire {
  readonly #broker: SimulatedBroker;
  readonly #broken: () => void;
  #sent = 0;
  #arrived = 0;
  #limit = Number.POSITIVE_INFINITY;
  #lastAt = 0;

  constructor(broker: SimulatedBroker, broken: () => void) {
    this.#broker = broker;
    this.#broken = broken;
  }

  get underWay(): number {
    return this.#sent - this.#arrived;
  }

  carry(arrive: () => void): void {
    const { clock, random, faults } = this.#broker;
    const number = this.#sent++;
    this.#lastAt = Math.max(this.#lastAt, clock.now() + faults.delay + random.next() * faults.jitter);
    clock.schedule(this.#lastAt - clock.now(), () => {
      if (number >= this.#limit) return;
      this.#arrived++;
      arrive();
    });
    if (random.chance(faults.loss)) this.#broken();
  }

  cut(): void {
    if (this.#limit === Number.POSITIVE_INFINITY)
      this.#limit = this.#arrived + this.#broker.random.below(this.underWay + 1);
  }
}
