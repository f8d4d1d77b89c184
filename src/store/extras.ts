import { z } from 'zod';
import type { MessageExtras, MessageProperties } from '../router/message.js';

const extrasSchema = z.strictObject({
  /** ms on the store's clock. */
  expiresAt: z.number().optional(),
  payloadFormat: z.literal([0, 1]).optional(),
  contentType: z.string().optional(),
  responseTopic: z.string().optional(),
  correlationData: z.base64().optional(),
  userProperties: z.array(z.tuple([z.string(), z.string()])).optional(),
  origin: z.strictObject({ bridge: z.string(), via: z.array(z.string()) }).optional(),
});

const LENGTH_BYTES = 4;

/** What goes with a message besides its payload: behind its length, so that more can follow. `expiresAt` is ms on the store's clock here. */
export function writeExtras({ expiresAt, origin, properties = {} }: MessageExtras): Uint8Array {
  const { correlationData, ...text } = properties;
  const encoded = correlationData && Buffer.from(correlationData).toString('base64');
  const json = Buffer.from(JSON.stringify({ expiresAt, ...text, correlationData: encoded, origin }));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json]);
}

/**
 * Reads what `writeExtras` wrote at the beginning of `bytes`. `rest` is what follows: a view.
 * @throws RangeError, SyntaxError or ZodError when it is not as it was written
 */
export function readExtras(bytes: Uint8Array): { extras: MessageExtras; rest: Uint8Array } {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = LENGTH_BYTES + all.readUInt32BE();
  if (end > all.length) throw new RangeError('it ends too early');
  const parsed = extrasSchema.parse(JSON.parse(all.toString('utf8', LENGTH_BYTES, end)));
  const { expiresAt, correlationData, origin, ...text } = parsed;
  const properties = {
    ...text,
    ...(correlationData !== undefined && {
      correlationData: new Uint8Array(Buffer.from(correlationData, 'base64')),
    }),
  } as MessageProperties;
  const extras: MessageExtras = {
    expiresAt,
    ...(Object.keys(properties).length > 0 && { properties }),
    ...(origin && { origin }),
  };
  return { extras, rest: all.subarray(end) };
}

/** The same extras, with their time on another clock: `shift` turns the one into the other, ms. */
export function withTime(
  extras: MessageExtras | undefined,
  shift: (time: number) => number,
): MessageExtras | undefined {
  if (extras?.expiresAt === undefined) return extras;
  return { ...extras, expiresAt: shift(extras.expiresAt) };
}
