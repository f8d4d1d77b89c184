/** CRC-16/MCRF4XX (PROTOCOL.md §2.1): polynomial 0x8408, reflected, initial value 0xFFFF, no final xor. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x8408 : crc >>> 1;
  return crc;
});

/**
 * The CRC of `bytes` from index `start` up to, not including, `end`. Over a packet followed by its CRC, low byte
 * first, it is 0 (PROTOCOL.md §2.1).
 */
export function crc16(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffff;
  for (let i = start; i < end; i++) {
    crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number);
  }
  return crc;
}
