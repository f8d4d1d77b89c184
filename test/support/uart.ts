/** What a line of 8 data bits, no parity, 1 stop bit carries: the level of each bit, and idle before and after. */
function levelsOf(bytes: Uint8Array): number[] {
  const levels = [1, 1];
  for (const byte of bytes) {
    levels.push(0);
    for (let bit = 0; bit < 8; bit++) levels.push((byte >> bit) & 1);
    levels.push(1);
  }
  return levels;
}

/**
 * What a UART that runs at `heardAt` makes of bytes sent without a pause at `sentAt`, both in baud. It waits for a start bit and
 * takes each bit in its middle; a byte whose stop bit is missing is read as 0, as Linux hands it over.
 */
export function heard(bytes: Uint8Array, sentAt: number, heardAt: number): Uint8Array {
  const levels = levelsOf(bytes);
  // Time in bits of the sender.
  const bit = sentAt / heardAt;
  const level = (time: number) => levels[Math.floor(time)] ?? 1;
  const read: number[] = [];
  for (let time = 0; time < levels.length; ) {
    if (level(time) === 1) {
      // The next falling edge is where a sent bit begins.
      time = Math.floor(time) + 1;
      continue;
    }
    let byte = 0;
    for (let i = 0; i < 8; i++) byte |= level(time + (1.5 + i) * bit) << i;
    const framed = level(time + 9.5 * bit) === 1;
    read.push(framed ? byte : 0);
    time += 9.5 * bit;
    // Without its stop bit the line must first come to rest.
    while (!framed && level(time) === 0 && time < levels.length) time = Math.floor(time) + 1;
  }
  return Uint8Array.from(read);
}
