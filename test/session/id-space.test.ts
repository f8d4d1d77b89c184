import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IdSpace } from '../../src/session/id-space.js';

test('finds the thing of an id and the last id of a thing, be they few or many', () => {
  const things = Array.from({ length: 15 }, (_, n) => ({ n }));
  const declaration = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.constantFrom(...things));
  fc.assert(
    fc.property(fc.array(declaration, { maxLength: 60 }), (declarations) => {
      const space = new IdSpace<object>();
      const model = new Map<number, object>();
      const last = new Map<object, number>();
      for (const [id, thing] of declarations) {
        expect(space.set(id, thing)).toBe(model.get(id));
        model.set(id, thing);
        last.set(thing, id);
        expect(space.id(thing)).toBe(id);
      }
      expect(space.size).toBe(model.size);
      expect(new Map(space)).toEqual(model);
      for (let id = 1; id <= 20; id++) expect(space.thing(id)).toBe(model.get(id));
      for (const thing of things) {
        const id = last.get(thing);
        if (id !== undefined && model.get(id) === thing) expect(space.id(thing)).toBe(id);
        const found = space.id(thing);
        if (found !== undefined) expect(model.get(found)).toBe(thing);
      }
    }),
  );
});
