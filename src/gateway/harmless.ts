/** `text` with every character that is not shown as `\u{…}`: what peers call themselves may hold what a terminal would obey. */
export function harmless(text: string): string {
  return text.replace(/\p{C}/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
}
