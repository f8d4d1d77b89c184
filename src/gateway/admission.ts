import type { Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import type { Link, LinkEvents } from '../links/link.js';
import { partyOf } from '../links/party.js';
import { RateLimit } from '../links/rate-limit.js';
import type { UdpAddress } from '../links/udp/udp-link.js';
import type { UdpListener } from '../links/udp/udp-listener.js';
import { AddressProof, refuseHello } from './address-proof.js';

/** While datagrams have come too fast for longer than this, peers that are not proved get no answer. */
const MAX_OVERRUN_MS = 250;

/** Whoever takes on the links of peers that were let in. */
export interface Host {
  attach(link: Link): LinkEvents;
  /** Closes the connection over UDP that has been there longest without a session. */
  giveUpHalfOpen(): void;
}

/** Gives a link to peers on UDP that introduce themselves, once their address is proved, and so many a second (PROTOCOL.md §4.2). */
export class Admission {
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #proof: AddressProof;
  readonly #rate: RateLimit;

  /** `perSecond`: how many may come from one address (see `partyOf`). */
  constructor(perSecond: number, host: Host, clock: Clock, counters: Counters) {
    this.#host = host;
    this.#clock = clock;
    this.#counters = counters;
    this.#proof = new AddressProof(counters);
    this.#rate = new RateLimit(perSecond);
  }

  /** Takes a datagram for which `isHello` holds, from an address that has no link. `answer` sends there without one. */
  greet(
    listener: UdpListener,
    packet: Uint8Array,
    from: UdpAddress,
    answer: (packet: Uint8Array) => void,
  ): void {
    const now = this.#clock.now();
    const judgement = this.#proof.judge(packet, from, now);
    if (judgement === undefined) return;
    if (judgement === 'unproved') {
      // Who has come this far must come through, or nobody does: newcomers ask again, later each time (§4.2).
      if (listener.overrunMs > MAX_OVERRUN_MS) return this.#counters.add('udp.drop.overrun');
      return answer(this.#proof.ask(from, now));
    }
    if (judgement !== 'proved') return answer(judgement);
    // Counted from here on only: whoever forges an address must not use up what its owner may do.
    if (!this.#rate.take(partyOf(from.host), now)) {
      this.#counters.add('udp.refused.too_many_hellos');
      return answer(refuseHello('limit_reached'));
    }
    if (listener.full) this.#host.giveUpHalfOpen();
    const link = listener.linkTo(from, (made) => this.#host.attach(made));
    if (link) link.receive(packet);
    else answer(refuseHello('limit_reached'));
  }
}
