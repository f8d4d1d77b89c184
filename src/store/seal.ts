import { crc32 } from 'node:zlib';
import { DamagedRecord } from './records.js';

const SEAL_BYTES = 4;

/** The value behind a checksum of it and its key: LevelDB does not check its blocks when it reads them. */
export function seal(key: string, value: Uint8Array): Uint8Array {
  const sealed = Buffer.allocUnsafe(SEAL_BYTES + value.length);
  sealed.writeUInt32BE(crc32(value, crc32(key)));
  sealed.set(value, SEAL_BYTES);
  return sealed;
}

/** The value without a look at whether it was changed since. */
export function contentOf(sealed: Uint8Array): Uint8Array {
  return sealed.subarray(SEAL_BYTES);
}

/** @throws DamagedRecord when either was changed since */
export function unseal(key: string, sealed: Uint8Array): Uint8Array {
  const value = contentOf(sealed);
  const intact =
    sealed.length >= SEAL_BYTES &&
    Buffer.from(sealed.buffer, sealed.byteOffset).readUInt32BE() === crc32(value, crc32(key));
  if (!intact) throw new DamagedRecord('its checksum is wrong');
  return value;
}
