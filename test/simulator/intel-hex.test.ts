import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../src/errors.js';
import { FLASH_BYTES, parseIntelHex } from '../../src/simulator/intel-hex.js';

const END = ':00000001FF';

function record(type: number, address: number, data: readonly number[]): string {
  const bytes = [data.length, address >> 8, address & 0xff, type, ...data];
  const sum = -bytes.reduce((total, byte) => total + byte, 0) & 0xff;
  return `:${Buffer.from([...bytes, sum])
    .toString('hex')
    .toUpperCase()}`;
}

function failure(text: string): string {
  try {
    parseIntelHex(text);
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'firmware_invalid') return error.message;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('parseIntelHex', () => {
  test('reads a record as a compiler writes it', () => {
    const flash = parseIntelHex(':100000000C945C000C946E000C946E000C946E00CA\n:00000001FF\n');
    expect(Buffer.from(flash).toString('hex')).toBe('0c945c000c946e000c946e000c946e00');
  });

  test('takes CR LF, lower case, blank lines and no newline at the end', () => {
    expect(parseIntelHex(`\r\n${record(0, 0, [0xab]).toLowerCase()}\r\n\r\n${END}`)).toEqual(
      Uint8Array.of(0xab),
    );
  });

  test('fills gaps with 0xFF and does not mind the order', () => {
    const text = [record(0, 4, [4]), record(0, 0, [1, 2]), END].join('\n');
    expect(parseIntelHex(text)).toEqual(Uint8Array.of(1, 2, 0xff, 0xff, 4));
  });

  test('follows extended segment and linear addresses, and ignores start addresses', () => {
    const segment = [record(2, 0, [0x00, 0x10]), record(0, 1, [7]), record(3, 0, [0, 0, 0, 0]), END].join(
      '\n',
    );
    expect(parseIntelHex(segment)).toHaveLength(0x102);
    expect(parseIntelHex(segment)[0x101]).toBe(7);
    const linear = [
      record(2, 0, [0x00, 0x10]),
      record(4, 0, [0, 0]),
      record(0, 0, [9]),
      record(5, 0, [0, 0, 0, 0]),
      END,
    ];
    expect(parseIntelHex(linear.join('\n'))).toEqual(Uint8Array.of(9));
  });

  test('reads back whatever was written', () => {
    const image = fc.uint8Array({ minLength: 1, maxLength: 600 });
    fc.assert(
      fc.property(image, fc.integer({ min: 1, max: 255 }), (bytes, width) => {
        const lines: string[] = [];
        for (let at = 0; at < bytes.length; at += width)
          lines.push(record(0, at, [...bytes.subarray(at, at + width)]));
        expect(parseIntelHex([...lines, END].join('\n'))).toEqual(bytes);
      }),
    );
  });

  test.each([
    ['a wrong checksum', `${record(0, 0, [1])}\n:0100010005FA`, /line 2 .* checksum 0xfa where 0xf9/],
    ['a record that is cut off', ':10000000AABB', /line 1 .* has 6 bytes where its length says 21/],
    ['an odd number of digits', ':000000001', /line 1 .* pairs of hexadecimal digits/],
    ['a letter that is no digit', ':00000001FG', /line 1 .* pairs of hexadecimal digits/],
    ['a file of another kind', '\u007fELF', /line 1 .* no Intel HEX file/],
    ['an unknown record type', record(6, 0, []), /line 1 .* record type 6 is unknown/],
    ['an address record of one byte', record(4, 0, [1]), /line 1 .* 1 bytes where 2/],
    ['data after the end', `${record(0, 0, [1])}\n${END}\n${record(0, 1, [1])}`, /line 3 .* follows the end/],
    ['a file that is cut off', record(0, 0, [1]), /cut off/],
    ['no data', END, /no data/],
    [
      'more than the flash',
      `${record(0, FLASH_BYTES - 1, [1, 2])}\n${END}`,
      /line 1 .* 0x8000 is beyond the 32768/,
    ],
    [
      'a linear address beyond the flash',
      `${record(4, 0, [0, 1])}\n${record(0, 0, [1])}`,
      /line 2 .* 0x10000 is beyond/,
    ],
  ])('refuses %s, naming the line', (_, text, message) => {
    expect(failure(text)).toMatch(message);
  });
});
