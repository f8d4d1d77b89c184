import { isUtf8 } from 'node:buffer';

const LF = 0x0a;
const CR = 0x0d;
const CONTROL = /\p{Cc}/gu;
/** Tabs, and the escape that begins a colour: boards print both. */
const PRINTED = new Set(['\t', '\u001b']);

export function isLineEnd(byte: number | undefined): boolean {
  return byte === LF || byte === CR;
}

/** The text of `bytes` if they are printable UTF-8 (line ends count as printable), else undefined. */
export function printable(bytes: Buffer): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString('utf8');
  const controls = text.match(CONTROL) ?? [];
  return controls.every((c) => PRINTED.has(c) || c === '\n' || c === '\r') ? text : undefined;
}

/** The text of `bytes`, with U+FFFD for whatever cannot be printed. */
export function legible(bytes: Buffer): string {
  return bytes.toString('utf8').replace(CONTROL, (c) => (PRINTED.has(c) ? c : '\uFFFD'));
}

/** Whether `bytes` begin with one whole character of more than one byte. No packet does (PROTOCOL.md §8). */
export function beginsWithWideCharacter(bytes: Buffer): boolean {
  const size = characterSize(bytes[0] ?? 0);
  return size > 1 && bytes.length >= size && isUtf8(bytes.subarray(0, size));
}

/** How many of `bytes` are left when a character that the end cuts in two is left out. */
export function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const lead = bytes[bytes.length - back] as number;
    if (lead >= 0xc0) return characterSize(lead) > back ? bytes.length - back : bytes.length;
    if (lead < 0x80) break;
  }
  return bytes.length;
}

/** The length in bytes of the UTF-8 character that `lead` begins; 1 for what begins none. */
function characterSize(lead: number): number {
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  return 1;
}
