import { describe, expect, it } from 'vitest';
import { crc16 } from '../../src/wire/crc.js';

describe('crc16', () => {
  const digits = Buffer.from('123456789');

  it('has the check value of CRC-16/MCRF4XX', () => {
    expect(crc16(digits)).toBe(0x6f91);
  });

  it('covers the range it is given', () => {
    expect(crc16(Buffer.from('xx123456789yyy'), 2, 11)).toBe(0x6f91);
    expect(crc16(digits, 4, 4)).toBe(0xffff);
  });

  it('leaves 0 when it runs over the bytes and their CRC, low byte first', () => {
    expect(crc16(Buffer.concat([digits, Buffer.from([0x91, 0x6f])]))).toBe(0);
  });

  it('notices every flipped bit', () => {
    for (let bit = 0; bit < digits.length * 8; bit++) {
      const flipped = Buffer.from(digits);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(crc16(flipped)).not.toBe(0x6f91);
    }
  });
});
