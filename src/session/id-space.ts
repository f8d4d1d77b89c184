/** With more entries than this a search through all of them takes longer than two maps are worth. */
const FEW = 8;

/**
 * Ids and what they stand for; two ids may stand for one thing. There is one for each session, and most have a few ids:
 * these stand in an array, for a map takes more memory than all of them.
 */
export class IdSpace<T> {
  /** Id, thing, id, thing…, the one declared last at the end; empty once the maps are there. */
  #few: readonly (number | T)[] = [];
  #things: Map<number, T> | undefined;
  #ids: Map<T, number> | undefined;

  get size(): number {
    return this.#things?.size ?? this.#few.length / 2;
  }

  thing(id: number): T | undefined {
    if (this.#things) return this.#things.get(id);
    for (let i = 0; i < this.#few.length; i += 2) if (this.#few[i] === id) return this.#few[i + 1] as T;
    return undefined;
  }

  /** The id that was last set to `thing`, if it still stands for that. */
  id(thing: T): number | undefined {
    if (this.#ids) return this.#ids.get(thing);
    const at = this.#few.lastIndexOf(thing);
    return at < 0 ? undefined : (this.#few[at - 1] as number);
  }

  /** Lets `id` stand for `thing`. Returns what it stood for before. */
  set(id: number, thing: T): T | undefined {
    const before = this.thing(id);
    if (!this.#things && this.size >= FEW && before === undefined) this.#grow();
    if (this.#things && this.#ids) {
      if (before !== undefined && this.#ids.get(before) === id) this.#ids.delete(before);
      this.#things.set(id, thing);
      this.#ids.set(thing, id);
    } else {
      const others = [...this].filter(([other]) => other !== id);
      // Exactly as long as need be: an array that grows by itself takes room for a dozen more.
      this.#few = others.flat().concat(id, thing as never) as (number | T)[];
    }
    return before;
  }

  *[Symbol.iterator](): Generator<[id: number, thing: T]> {
    if (this.#things) yield* this.#things;
    for (let i = 0; i < this.#few.length; i += 2) yield [this.#few[i] as number, this.#few[i + 1] as T];
  }

  #grow(): void {
    const entries = [...this];
    this.#things = new Map(entries);
    this.#ids = new Map(entries.map(([id, thing]) => [thing, id]));
    this.#few = [];
  }
}
