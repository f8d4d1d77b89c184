/**
 * Buffers for what needs much room for a moment: to make them takes longer than to fill them, so they are used again. All have one
 * size.
 */
export const SPARE_BYTES = 131_072;
const MAX_SPARE = 64;
const spare: Buffer[] = [];
/** What these buffers lie in: no other may be taken for one. */
const ours = new WeakSet<ArrayBufferLike>();

/** A buffer of SPARE_BYTES with anything in it. */
export function takeBuffer(): Buffer {
  const buffer = spare.pop();
  if (buffer !== undefined) return buffer;
  const made = Buffer.allocUnsafeSlow(SPARE_BYTES);
  ours.add(made.buffer);
  return made;
}

/** Gives back a buffer, or a part of one, that nobody uses any more. Does nothing with one of another origin. */
export function giveBuffer({ buffer }: Uint8Array): void {
  if (ours.has(buffer) && spare.length < MAX_SPARE) spare.push(Buffer.from(buffer));
}
