import { giveBuffer } from '../spare-buffers.js';
import { decodePacket, type Side } from '../wire/decode.js';
import type { EmitRun } from '../wire/emit-run.js';
import { type EmitHeader, type PacketBuilder, writeLongEmit } from '../wire/encode.js';
import type { Emit } from '../wire/messages.js';
import { Writer } from '../wire/writer.js';

/** Writers that no backlog needs at present: most are empty most of the time, and fill up and empty again within one turn. */
const SPARE: Writer[] = [];
const MAX_SPARE = { small: 256, large: 32 };
/** Of a small one, and of a large one: what is larger is not kept. */
const SPARE_BYTES = { small: 8192, large: 262_144 };

/**
 * Messages of QoS 0 that wait to leave, as the very bytes that will: each is encoded once, when it comes, and then copied together
 * with its neighbours.
 */
export class Backlog {
  #out: Writer | undefined;
  /** Where the first one begins that has not left. */
  #start = 0;
  #count = 0;

  /** How many wait. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#out === undefined ? 0 : this.#out.at - this.#start;
  }

  /** `emit` is one of QoS 0; `size`: what it has without L. */
  push(emit: EmitHeader, payload: Uint8Array, size: number): void {
    writeLongEmit(this.#outFor(size + 4), emit, payload, size);
    this.#count++;
  }

  /** Puts all messages of a run, under the id that is the channel's here, behind those that wait. */
  pushRun(run: EmitRun, id: number, gatewayId: boolean): void {
    run.writeTo(this.#outFor(run.length), id, gatewayId);
    this.#count += run.count;
  }

  #outFor(bytes: number): Writer {
    this.#out ??= SPARE.pop() ?? new Writer();
    const out = this.#out;
    // Only when most of it is spent, or as many bytes would be moved for each message.
    if (this.#start * 2 > out.at && out.at + bytes > out.bytes.length) this.#compact(out);
    return out;
  }

  /** Moves what fits to the packet's end, so that it does not get longer than `limit` unless it was empty. Returns how many. */
  moveTo(packet: PacketBuilder, limit: number): number {
    const out = this.#out;
    if (out === undefined) return 0;
    const { next, count } = packet.addRun(out.bytes, this.#start, out.at, limit);
    this.#start = next;
    this.#count -= count;
    if (this.#count === 0) this.clear();
    return count;
  }

  /** What waits, in order. The payloads are views: copy what is kept. `from`: whose backlog it is. */
  messages(from: Side): Emit[] {
    const out = this.#out;
    return out === undefined ? [] : (decodePacket(out.bytes.subarray(this.#start, out.at), from) as Emit[]);
  }

  clear(): void {
    const out = this.#out;
    this.#out = undefined;
    this.#start = 0;
    this.#count = 0;
    if (out === undefined) return;
    out.at = 0;
    const size = out.bytes.length <= SPARE_BYTES.small ? 'small' : 'large';
    if (SPARE.length < MAX_SPARE[size] && out.bytes.length <= SPARE_BYTES[size]) SPARE.push(out);
    else giveBuffer(out.bytes);
  }

  #compact(out: Writer): void {
    out.bytes.copyWithin(0, this.#start, out.at);
    out.at -= this.#start;
    this.#start = 0;
  }
}
