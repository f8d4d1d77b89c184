/**
 * Packets as tables can hold them. Between spaces: pairs of hex digits, `'text'` raw, `"text"` behind its length in two bytes, and
 * `( … )` what is inside behind its length as a variable byte integer: `30 ( "a/b" 'hello' )` is a PUBLISH of 3.1.1. `[ … ]` is the same
 * in MQTT 5, and nothing before it: `30 ( "a/b" [ ] 'hello' )` is a PUBLISH of every version.
 * @throws Error for anything else: a mistake in a table
 */
export function bytes(text: string, level = 5): Buffer {
  const tokens = text.match(/'[^']*'|"[^"]*"|[()[\]]|[0-9a-fA-F]+|\S/g) ?? [];
  let at = 0;
  const all = group();
  if (at !== tokens.length) throw new Error(`one "${tokens[at]}" too many: ${text}`);
  return all;

  function group(): Buffer {
    const parts: Buffer[] = [];
    for (
      let token = tokens[at];
      token !== undefined && token !== ')' && token !== ']';
      token = tokens[++at]
    ) {
      parts.push(part(token));
    }
    return Buffer.concat(parts);
  }

  function part(token: string): Buffer {
    if (token.startsWith("'")) return Buffer.from(token.slice(1, -1));
    if (token.startsWith('"')) {
      const value = Buffer.from(token.slice(1, -1));
      return Buffer.concat([Buffer.of(value.length >> 8, value.length & 0xff), value]);
    }
    if (token === '(' || token === '[') {
      const end = token === '(' ? ')' : ']';
      at++;
      const inside = group();
      if (tokens[at] !== end) throw new Error(`a "${end}" is missing: ${text}`);
      return token === '[' && level < 5 ? Buffer.alloc(0) : Buffer.concat([varint(inside.length), inside]);
    }
    if (!/^([0-9a-fA-F]{2})+$/.test(token)) throw new Error(`"${token}" is no bytes: ${text}`);
    return Buffer.from(token, 'hex');
  }
}

/** As pairs of hex digits. */
export function hex(value: Uint8Array): string {
  return Buffer.from(value).toString('hex');
}

/** A variable byte integer, written down from the standard's own algorithm (1.5.5). */
export function varint(value: number): Buffer {
  const encoded: number[] = [];
  let x = value;
  do {
    const digit = x % 128;
    x = Math.floor(x / 128);
    encoded.push(x > 0 ? digit | 128 : digit);
  } while (x > 0);
  return Buffer.from(encoded);
}
