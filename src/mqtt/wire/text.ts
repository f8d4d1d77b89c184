/** Strict: throws on bytes that are not UTF-8, surrogates among them, and keeps U+FEFF at the start [MQTT-1.5.4-3]. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text that is nothing but printable ASCII, as nearly all is; undefined if it is not. */
export function asciiText(bytes: Buffer, at: number, end: number): string | undefined {
  for (let i = at; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte < 0x20 || byte > 0x7e) return undefined;
  }
  return bytes.toString('latin1', at, end);
}

/** Undefined if it is not well-formed [MQTT-1.5.4-1]. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Control characters and those that Unicode will never assign: text SHOULD NOT have them (MQTT 5, 1.5.4). */
const UNFIT = /[\p{Cc}\p{Noncharacter_Code_Point}]/u;

export function hasUnfitCharacter(text: string): boolean {
  return UNFIT.test(text);
}
