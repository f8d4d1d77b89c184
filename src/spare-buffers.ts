/** The largest of them. */
export const SPARE_BYTES = 131_072;

/** Buffers of one size, and how many of them are kept at most. */
interface Shelf {
  readonly bytes: number;
  readonly most: number;
  readonly spare: Buffer[];
}

/**
 * Buffers for what needs much room for a moment: to make them takes longer than to fill them, so they are used again. There are a few
 * sizes of them, so that what is small takes no large one.
 */
const SHELVES: readonly Shelf[] = [
  { bytes: 8192, most: 256, spare: [] },
  { bytes: 32_768, most: 64, spare: [] },
  { bytes: SPARE_BYTES, most: 64, spare: [] },
];
/** What these buffers lie in: no other may be taken for one. */
const shelfOf = new WeakMap<ArrayBufferLike, Shelf>();

/** A buffer for so many bytes, SPARE_BYTES at most, with anything in it: of 8 KiB, 32 KiB or SPARE_BYTES. */
export function takeBuffer(bytes: number = SPARE_BYTES): Buffer {
  const shelf = SHELVES.find((each) => each.bytes >= bytes);
  if (shelf === undefined) throw new RangeError(`${bytes} bytes are more than ${SPARE_BYTES}`);
  const buffer = shelf.spare.pop();
  if (buffer !== undefined) return buffer;
  const made = Buffer.allocUnsafeSlow(shelf.bytes);
  shelfOf.set(made.buffer, shelf);
  return made;
}

/** Gives back a buffer, or a part of one, that nobody uses any more. Does nothing with one of another origin. */
export function giveBuffer({ buffer }: Uint8Array): void {
  const shelf = shelfOf.get(buffer);
  if (shelf !== undefined && shelf.spare.length < shelf.most) shelf.spare.push(Buffer.from(buffer));
}
