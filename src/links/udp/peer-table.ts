import type { UdpLink } from './udp-link.js';

/** The links over one socket by address. Most hosts have one peer, for which a map of ports would be too much. */
export class PeerTable {
  readonly #byHost = new Map<string, UdpLink | Map<number, UdpLink>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(host: string, port: number): UdpLink | undefined {
    const there = this.#byHost.get(host);
    if (there instanceof Map) return there.get(port);
    return there?.to.port === port ? there : undefined;
  }

  /** Adds the link to an address that has none. */
  add(link: UdpLink): void {
    const { host, port } = link.to;
    const there = this.#byHost.get(host);
    this.#size++;
    if (there instanceof Map) there.set(port, link);
    else if (there) this.#byHost.set(host, new Map([there, link].map((one) => [one.to.port, one])));
    else this.#byHost.set(host, link);
  }

  /** Removes the link. Returns whether it was there. */
  delete(link: UdpLink): boolean {
    const { host, port } = link.to;
    if (this.get(host, port) !== link) return false;
    const there = this.#byHost.get(host);
    this.#size--;
    if (there instanceof Map && there.size > 1) there.delete(port);
    else this.#byHost.delete(host);
    return true;
  }

  *[Symbol.iterator](): Generator<UdpLink> {
    for (const there of this.#byHost.values()) {
      if (there instanceof Map) yield* there.values();
      else yield there;
    }
  }
}
