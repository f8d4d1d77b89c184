import { Tally } from '../../tally.js';
import type { UdpLink } from './udp-link.js';

/** The links over one socket by address. Most hosts have one peer, for which a map of ports would be too much. */
export class PeerTable {
  readonly #byHost = new Map<string, UdpLink | Map<number, UdpLink>>();
  /** Of parties that have more than one host: those of IPv6. */
  readonly #ofNetwork = new Tally();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(host: string, port: number): UdpLink | undefined {
    const there = this.#byHost.get(host);
    if (there instanceof Map) return there.get(port);
    return there?.port === port ? there : undefined;
  }

  /** How many links the party of that one has. */
  ofParty({ host, party }: UdpLink): number {
    if (party !== host) return this.#ofNetwork.of(party);
    const there = this.#byHost.get(host);
    return there instanceof Map ? there.size : there ? 1 : 0;
  }

  /** Adds the link to an address that has none. */
  add(link: UdpLink): void {
    const { host, port, party } = link;
    const there = this.#byHost.get(host);
    this.#size++;
    if (party !== host) this.#ofNetwork.add(party);
    if (there instanceof Map) there.set(port, link);
    else if (there) this.#byHost.set(host, new Map([there, link].map((one) => [one.port, one])));
    else this.#byHost.set(host, link);
  }

  /** Removes the link, if it is there. */
  delete(link: UdpLink): void {
    const { host, port, party } = link;
    if (this.get(host, port) !== link) return;
    const there = this.#byHost.get(host);
    this.#size--;
    if (party !== host) this.#ofNetwork.remove(party);
    if (there instanceof Map && there.size > 1) there.delete(port);
    else this.#byHost.delete(host);
  }

  *[Symbol.iterator](): Generator<UdpLink> {
    for (const there of this.#byHost.values()) {
      if (there instanceof Map) yield* there.values();
      else yield there;
    }
  }
}
