import type { Random } from './random.js';

/** What a serial line may be full of, by kind: so many bytes of it. */
export const NOISES: Readonly<Record<string, (random: Random, bytes: number) => Uint8Array>> = {
  'random bytes': (random, bytes) => random.bytes(bytes),
  'nothing but END': (_random, bytes) => new Uint8Array(bytes).fill(0xc0),
  'nothing but ESC': (_random, bytes) => new Uint8Array(bytes).fill(0xdb),
  'a frame that never ends': (_random, bytes) => new Uint8Array(bytes).fill(0x80),
};
