import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { CClient } from './c-client.js';

/** Lets a board greet until its power goes. Returns what it had written of the HELLO; undefined if the power lasted. */
function greet(edges: number): number | undefined {
  const client = new CClient({
    framing: 'serial',
    onPowerOut: () => {
      throw new Error('the power is gone');
    },
  });
  client.powerFor(edges);
  try {
    client.poll(1);
  } catch {
    return client.takeUnfinished().length + (client.take()[0]?.length ?? 0);
  }
  return undefined;
}

describeWithTools(['clang', 'wasm-ld'], 'the C client', () => {
  it('can lose its power at any edge of its control flow', () => {
    const written: number[] = [];
    for (let length = greet(0); length !== undefined; length = greet(written.length)) written.push(length);
    expect(written).toEqual(written.toSorted((a, b) => a - b));
    expect(new Set(written).size).toBeGreaterThan(30);
    // Many stops between two bytes, not one.
    expect(written.length).toBeGreaterThan(5 * new Set(written).size);
  });

  it('is faster where nobody counts edges', () => {
    const client = new CClient({ framing: 'serial' });
    expect(() => client.powerFor(1)).toThrow('without counting edges');
  });
});
