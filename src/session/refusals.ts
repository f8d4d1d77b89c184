import { headOf } from '../wire/head.js';
import type { Emit, Refuse } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import { writeVarint } from '../wire/varint.js';

/** The REFUSE of something that is not reliable (PROTOCOL.md §7). */
export function refuse(reason: Reason, head: number, detail: Uint8Array = new Uint8Array()): Refuse {
  return { type: 'refuse', reason, head, detail };
}

/** The REFUSE of an emit of QoS 0, which names its channel. */
export function refuseEmit(reason: Reason, emit: Emit): Refuse {
  return refuse(reason, headOf(emit), detailOf(emit));
}

/** The REFUSE of a reliable message whose sender takes no REJECT. */
export function refuseNumbered(reason: Reason, head: number, seq: number): Refuse {
  const detail = Buffer.alloc(2);
  detail.writeUInt16BE(seq);
  return refuse(reason, head, detail);
}

function detailOf(emit: Emit): Uint8Array {
  if (emit.name !== undefined) {
    const name = Buffer.from(emit.name);
    return Buffer.concat([Buffer.of(name.length), name]);
  }
  const id = Buffer.alloc(4);
  return id.subarray(0, writeVarint(id, 0, emit.id as number));
}
