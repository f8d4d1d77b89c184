import { MAX_CHANNEL_BYTES } from '../wire/limits.js';

/** What MQTT has room for, bytes of UTF-8 (MQTT 5, 1.5.4). Slipway's own packets have room for less (`isLong`, PROTOCOL.md §6.1). */
export const MAX_NAME_BYTES = 65_535;

/** How many bytes a name or pattern has more than PROTOCOL.md §6.1 allows. */
export function bytesBeyond(name: string): number {
  // A character takes three bytes at most; one of four bytes is two of a string's.
  if (name.length * 3 <= MAX_CHANNEL_BYTES) return 0;
  return Math.max(0, Buffer.byteLength(name) - MAX_CHANNEL_BYTES);
}

/** Whether the name has more than 255 bytes: no session of Slipway's own protocol can be told it. */
export function isLong(name: string): boolean {
  return bytesBeyond(name) > 0;
}
