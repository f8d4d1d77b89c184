/** The upper half of a packet's first byte (2.1.2). */
export const TYPE = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

/** The lower half of these is 0b0010, of PUBLISH its flags, and of all others 0 (2.1.3). */
export const SECOND_BIT_TYPES: ReadonlySet<number> = new Set([TYPE.pubrel, TYPE.subscribe, TYPE.unsubscribe]);

/** A remaining length has at most so many bytes (2.1.4). */
export const MAX_LENGTH_BYTES = 4;
