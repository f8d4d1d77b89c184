import { PROPERTIES, type Property, type PropertyHolder } from './properties.js';
import { unencodable, Writer } from './writer.js';

type Pair = readonly [name: string, value: string];

/** By the names of packets.ts. */
type Values = { readonly [key: string]: unknown };

const SCRATCH = new Writer();

/** In the order of their identifiers. */
const BY_HOLDER = new Map<PropertyHolder, Property[]>();
for (const property of PROPERTIES) {
  for (const holder of property.holders) {
    BY_HOLDER.set(holder, [...(BY_HOLDER.get(holder) ?? []), property]);
  }
}

/**
 * Writes the properties of `holder` behind their length (MQTT 5, 2.2.2).
 * @throws SlipwayError `unencodable` for a value that does not fit
 */
export function writeProperties(writer: Writer, holder: PropertyHolder, values: object): void {
  const list = encodedProperties(holder, values);
  writer.varint(list.length, 'the length of the properties');
  writer.raw(list);
}

/** The same without their length: a view that is valid until others are encoded. */
export function encodedProperties(holder: PropertyHolder, values: object): Buffer {
  SCRATCH.clear();
  for (const property of BY_HOLDER.get(holder) ?? []) {
    const value = (values as Values)[property.key];
    if (value === undefined) continue;
    if (!property.many) writeProperty(SCRATCH, property, value);
    else for (const each of value as readonly unknown[]) writeProperty(SCRATCH, property, each);
  }
  return SCRATCH.written;
}

function writeProperty(out: Writer, { id, key, kind, min }: Property, value: unknown): void {
  out.u8(id, key);
  switch (kind) {
    case 'flag':
      out.u8(value === true ? 1 : 0, key);
      break;
    case 'bit':
      if (value !== 0 && value !== 1) throw unencodable(`${key} must be 0 or 1, not ${String(value)}`);
      out.u8(value, key);
      break;
    case 'u16':
      out.u16(value as number, key, min);
      break;
    case 'u32':
      out.u32(value as number, key, min);
      break;
    case 'varint':
      out.varint(value as number, key, min);
      break;
    case 'text':
    case 'topic':
      out.text(value as string, key);
      break;
    case 'binary':
      out.binary(value as Uint8Array, key);
      break;
    case 'pair':
      out.text((value as Pair)[0], key);
      out.text((value as Pair)[1], key);
      break;
  }
}
