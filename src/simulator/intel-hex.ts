import { SlipwayError } from '../errors.js';

/** Flash of an ATmega328P, in bytes. */
export const FLASH_BYTES = 32 * 1024;

/** What unprogrammed flash reads as. */
const ERASED = 0xff;

const HEAD_BYTES = 4;

/**
 * Reads an Intel HEX file (record types 00 to 05) into the flash image that it describes, from address 0 to the last byte
 * programmed; gaps read 0xFF.
 *
 * @param text the whole file
 * @param limit bytes of flash of the target
 * @throws SlipwayError `firmware_invalid`, naming the line, when the file is damaged, cut off, empty, no Intel HEX at all, or
 * larger than `limit`
 */
export function parseIntelHex(text: string, limit: number = FLASH_BYTES): Uint8Array {
  const flash = new Uint8Array(limit).fill(ERASED);
  let size = 0;
  let base = 0;
  let ended = false;

  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    const line = raw.trim();
    if (line === '') continue;
    const at = index + 1;
    if (ended) throw invalid(at, 'something follows the end-of-file record');
    const { type, address, data } = parseRecord(line, at);
    switch (type) {
      case 0: {
        const end = base + address + data.length;
        if (end > limit)
          throw invalid(at, `address 0x${(end - 1).toString(16)} is beyond the ${limit} bytes of flash`);
        flash.set(data, base + address);
        size = Math.max(size, end);
        break;
      }
      case 1:
        ended = true;
        break;
      case 2:
        base = word(data, at) * 16;
        break;
      case 4:
        base = word(data, at) * 0x10000;
        break;
      case 3: // Where a PC program or a 32-bit chip starts. An AVR always starts at 0.
      case 5:
        break;
      default:
        throw invalid(at, `record type ${type} is unknown`);
    }
  }
  if (!ended) {
    throw new SlipwayError(
      'firmware_invalid',
      'the firmware ends without an end-of-file record: it was cut off',
    );
  }
  if (size === 0) throw new SlipwayError('firmware_invalid', 'the firmware holds no data');
  return flash.slice(0, size);
}

function parseRecord(line: string, at: number): { type: number; address: number; data: Uint8Array } {
  if (!line.startsWith(':')) {
    throw invalid(
      at,
      'does not begin with ":", so this is no Intel HEX file; give the .hex that the compiler wrote',
    );
  }
  const digits = line.slice(1);
  if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) throw invalid(at, 'is not made of pairs of hexadecimal digits');
  const bytes = Uint8Array.from(Buffer.from(digits, 'hex'));
  const [length = 0, high = 0, low = 0, type = 0] = bytes;
  const expected = HEAD_BYTES + length + 1;
  if (bytes.length !== expected)
    throw invalid(at, `has ${bytes.length} bytes where its length says ${expected}`);
  const found = bytes[expected - 1] ?? 0;
  const sum = -bytes.subarray(0, -1).reduce((total, byte) => total + byte, 0) & 0xff;
  if (sum !== found)
    throw invalid(at, `has checksum 0x${hex(found)} where 0x${hex(sum)} is right: the file is damaged`);
  return { type, address: high * 256 + low, data: bytes.subarray(HEAD_BYTES, -1) };
}

function word(data: Uint8Array, at: number): number {
  const [high, low] = data;
  if (data.length !== 2 || high === undefined || low === undefined) {
    throw invalid(at, `is an address record of ${data.length} bytes where 2 are needed`);
  }
  return high * 256 + low;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function invalid(line: number, problem: string): SlipwayError {
  return new SlipwayError('firmware_invalid', `line ${line} of the firmware: ${problem}`);
}
