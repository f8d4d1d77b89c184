import type { Counters } from '../counters.js';
import type { FairTurns, Share, Worker } from '../fair-turns.js';
import type { Link } from '../links/link.js';
import { openPacket } from '../session/open-packet.js';
import { Queue } from '../session/queue.js';
import { MalformedPacket, type PacketReader } from '../wire/decode.js';

/** What may wait of a link that cannot be paused, bytes; a packet counts with what it takes in memory besides. */
const MAX_WAITING_BYTES = 65_536;
const PACKET_OVERHEAD_BYTES = 128;

/**
 * Hands on the packets of a link, in order, as far as there is time: a packet with many messages in pieces, one piece a
 * turn. While something is left over the link is paused; what a link that cannot be paused brings meanwhile is kept up
 * to a bound, and beyond it dropped and counted as `session.drop.busy`.
 */
export abstract class Inbox implements Worker {
  readonly link: Link;
  protected readonly counters: Counters;
  readonly #turns: FairTurns;
  /** What is left of the packet that was begun. */
  #rest: PacketReader | undefined;
  /** Packets that come after it. */
  #waiting: Queue<Uint8Array> | undefined;
  #waitingBytes = 0;
  #workedOff: (() => void) | undefined;

  constructor(link: Link, turns: FairTurns, counters: Counters) {
    this.link = link;
    this.counters = counters;
    this.#turns = turns;
  }

  protected abstract malformed(packet: MalformedPacket): void;
  /** Looks at how a packet begins, and may take its first message. Returns whether `receive` is to have what is left. */
  protected abstract opens(packet: PacketReader): boolean;
  /** Takes messages until there are no more, or the share is over. Returns false when nobody is there to take them. */
  protected abstract receive(packet: PacketReader, share: Share): boolean;

  /** A packet came. Its bytes are copied if they are needed for longer. */
  packet(packet: Uint8Array): void {
    if (this.#busy) return this.#keep(packet);
    const share = this.#turns.begin();
    if (share === undefined) this.#keep(packet);
    else this.#take(packet, share);
    if (!this.#busy) return;
    this.link.pause?.();
    this.#turns.wait(this);
  }

  work(share: Share): boolean {
    if (this.#rest && !this.#handOn(this.#rest, share)) this.#rest = undefined;
    while (!this.#rest && this.#waiting) {
      const packet = this.#waiting.shift() as Uint8Array;
      this.#waitingBytes -= packet.length + PACKET_OVERHEAD_BYTES;
      if (this.#waiting.length === 0) this.#waiting = undefined;
      this.#take(packet, share);
      if (share.over()) break;
    }
    if (this.#busy) return true;
    if (this.#workedOff) this.#workedOff();
    else this.link.resume?.();
    return this.#busy;
  }

  /** The link is gone: calls back when everything that came over it is worked off. */
  protected workOff(done: () => void): void {
    if (this.#busy) this.#workedOff = done;
    else done();
  }

  get #busy(): boolean {
    return this.#rest !== undefined || this.#waiting !== undefined;
  }

  #keep(packet: Uint8Array): void {
    const bytes = packet.length + PACKET_OVERHEAD_BYTES;
    // The first is always kept: a link that can be paused brings no second one, whatever its size.
    if (this.#waiting && this.#waitingBytes + bytes > MAX_WAITING_BYTES)
      return this.counters.add('session.drop.busy');
    this.#waiting ??= new Queue();
    this.#waiting.push(new Uint8Array(packet));
    this.#waitingBytes += bytes;
  }

  #take(packet: Uint8Array, share: Share): void {
    const reader = openPacket(packet, 'peer', this.counters);
    if (reader instanceof MalformedPacket) return this.malformed(reader);
    if (!this.opens(reader)) return;
    // Kept as bytes: decoded messages take far more room.
    if (this.#handOn(reader, share)) this.#rest = reader.rest();
  }

  /** Returns whether there is more, and somebody to take it. */
  #handOn(packet: PacketReader, share: Share): boolean {
    return this.receive(packet, share) && !packet.done;
  }
}
