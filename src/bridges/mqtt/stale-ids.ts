import { TYPE } from '../../mqtt/wire/types.js';
import { idOfRecord, MESSAGE_IDS } from './packet-ids.js';

const PUBREL = (TYPE.pubrel << 4) | 2;
const BYTES = 4;
/** So many records from one on may be under way, or may have been, in spite of gaps between them: their identifiers are spared. */
const SPARED = 16_000;

/**
 * PUBREL for the identifiers of older records than `record`, but for those that are `taken`: the oldest first, 190 KiB at most. A broker
 * that was killed may have fallen back to when it had such messages of QoS 2: it waits for their release, and takes no others in their
 * place. Also returns how many they are. `underWay`: how many records are under way at once, at most.
 */
export function releaseOlder(
  record: number,
  underWay: number,
  taken: (id: number) => boolean,
): { readonly bytes: Buffer; readonly count: number } {
  const most = Math.max(0, Math.min(MESSAGE_IDS - Math.max(SPARED, underWay), record));
  const bytes = Buffer.alloc(most * BYTES);
  let count = 0;
  for (let older = record - most; older < record; older++) {
    const id = idOfRecord(older);
    if (taken(id)) continue;
    bytes.writeUInt16BE((PUBREL << 8) | 2, count * BYTES);
    bytes.writeUInt16BE(id, count * BYTES + 2);
    count++;
  }
  return { bytes: bytes.subarray(0, count * BYTES), count };
}
