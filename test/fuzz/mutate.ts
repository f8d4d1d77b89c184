import type { Random } from '../support/random.js';

/** Bytes at which something turns: signs, lengths of varints, SLIP, heads. */
const TURNING = [0, 1, 2, 0x1f, 0x20, 0x30, 0x40, 0x7f, 0x80, 0x81, 0xb0, 0xb8, 0xc0, 0xdb, 0xdc, 0xfe, 0xff];

export interface Mutator {
  readonly random: Random;
  readonly corpus: readonly Uint8Array[];
  readonly dictionary: readonly Uint8Array[];
  readonly maxBytes: number;
}

/** A variant of an input: one to eight small changes. */
export function mutate(input: Uint8Array, mutator: Mutator): Uint8Array {
  const { random, maxBytes } = mutator;
  const bytes = Array.from(input);
  for (let changes = 1 << random.below(4); changes > 0; changes--) change(bytes, mutator);
  return Uint8Array.from(bytes.slice(0, maxBytes));
}

function change(bytes: number[], { random, corpus, dictionary }: Mutator): void {
  const at = random.below(bytes.length + 1);
  const span = 1 + random.below(random.chance(0.8) ? 4 : 32);
  switch (random.below(9)) {
    case 0:
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      return;
    case 1:
      if (at < bytes.length) bytes[at] = random.below(256);
      return;
    case 2:
      if (at < bytes.length) bytes[at] = TURNING[random.below(TURNING.length)] as number;
      return;
    case 3:
      if (at < bytes.length) bytes[at] = ((bytes[at] as number) + random.below(33) + 240) & 0xff;
      return;
    case 4:
      bytes.splice(at, span);
      return;
    case 5:
      bytes.splice(at, 0, ...random.bytes(span));
      return;
    case 6: {
      const from = random.below(bytes.length + 1);
      bytes.splice(at, random.chance(0.5) ? span : 0, ...bytes.slice(from, from + span));
      return;
    }
    case 7: {
      const other = corpus[random.below(Math.max(1, corpus.length))] ?? new Uint8Array();
      const from = random.below(other.length + 1);
      const piece = other.slice(from, from + span * 8);
      bytes.splice(at, random.chance(0.5) ? piece.length : 0, ...piece);
      return;
    }
    default: {
      const word = dictionary[random.below(Math.max(1, dictionary.length))] ?? [];
      bytes.splice(at, random.chance(0.5) ? word.length : 0, ...word);
    }
  }
}

/** What is left of an input that `breaks` when all that can be left out is: blocks first, then single bytes made 0. */
export function minimize(
  input: Uint8Array,
  breaks: (candidate: Uint8Array) => boolean,
  most = 3000,
): Uint8Array {
  let best = input;
  let tries = 0;
  const better = (candidate: Uint8Array): boolean => {
    if (tries++ >= most || !breaks(candidate)) return false;
    best = candidate;
    return true;
  };
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length; ) {
      const without = Uint8Array.from([...best.subarray(0, at), ...best.subarray(at + size)]);
      if (!better(without)) at += size;
    }
  }
  for (let at = 0; at < best.length; at++) if (best[at] !== 0) better(best.with(at, 0));
  return best;
}
