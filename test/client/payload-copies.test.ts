import { describe, expect, it } from 'vitest';
import { PayloadCopies } from '../../src/client/payload-copies.js';

const SIZES = Array.from({ length: 3000 }, (_, n) => (n * 37) % 300);

describe('copies of payloads', () => {
  it('stay as they are, whatever becomes of the original, its neighbours and those that come later', () => {
    const copies = new PayloadCopies();
    const reused = new Uint8Array(300);
    const kept = SIZES.map((size, n) => copies.copy(reused.fill(n).subarray(0, size)));
    expect(kept.map(({ length }) => length)).toEqual(SIZES);
    const wrong = kept.filter((copy, n) => copy.some((byte) => byte !== n % 256));
    expect(wrong).toEqual([]);
    for (const [n, copy] of kept.entries()) copy.fill(255 - (n % 256));
    expect(kept.filter((copy, n) => copy.some((byte) => byte !== 255 - (n % 256)))).toEqual([]);
  });

  it('keep no more memory than the little that small ones share, or their own', () => {
    const copies = new PayloadCopies();
    const kept = SIZES.map((size) => copies.copy(new Uint8Array(size)));
    for (const { buffer, length } of kept) {
      if (length > 256) expect(buffer.byteLength).toBe(length);
      else expect(buffer.byteLength).toBeLessThanOrEqual(2048);
    }
    const used = SIZES.reduce((sum, size) => sum + size);
    const held = [...new Set(kept.map(({ buffer }) => buffer))].reduce(
      (sum, { byteLength }) => sum + byteLength,
      0,
    );
    expect(held / used).toBeLessThan(1.15);
  });

  it('are plain arrays of bytes, also of a Buffer', () => {
    expect(new PayloadCopies().copy(Buffer.from('21.5')).constructor).toBe(Uint8Array);
  });
});
