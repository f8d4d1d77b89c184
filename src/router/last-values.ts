import type { Qos } from '../wire/messages.js';
import type { Channel } from './channel.js';

export interface LastValueLimits {
  /** How many channels may have a last value. */
  readonly maxLastValues: number;
  /** What all last values together may take, in bytes of payload. */
  readonly maxLastValueBytes: number;
}

/** Sets and clears the last values of channels within limits (PROTOCOL.md §6.5). */
export class LastValues {
  readonly #limits: LastValueLimits;
  #count = 0;
  #bytes = 0;
  #mark = 0;

  constructor(limits: LastValueLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of payload that all last values take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts up with every value set, so that values set since an earlier mark can be told from the others. */
  get mark(): number {
    return this.#mark;
  }

  hasRoom(channel: Channel, payloadLength: number): boolean {
    if (payloadLength === 0) return true;
    const old = channel.lastValue;
    return (
      this.#count + (old === undefined ? 1 : 0) <= this.#limits.maxLastValues &&
      this.#bytes + payloadLength - (old?.payload.length ?? 0) <= this.#limits.maxLastValueBytes
    );
  }

  /** Keeps a copy of the payload; an empty one clears the value. */
  update(channel: Channel, payload: Uint8Array, qos: Qos): void {
    const old = channel.lastValue;
    if (old !== undefined) {
      this.#count -= 1;
      this.#bytes -= old.payload.length;
      channel.lastValue = undefined;
    }
    if (payload.length === 0) return;
    this.#count += 1;
    this.#bytes += payload.length;
    this.#mark += 1;
    channel.lastValue = { payload: new Uint8Array(payload), qos, mark: this.#mark };
  }
}
