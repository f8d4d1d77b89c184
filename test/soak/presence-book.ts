const CHANNEL = /^\$slipway\/devices\/(.+)\/state$/;

/** The pattern of all states of devices (PROTOCOL.md §6.6). */
export const STATES = '$slipway/devices/+/state';

/** The device whose state a channel tells, if it is one of those. */
export function deviceOf(channel: string): string | undefined {
  return CHANNEL.exec(channel)?.[1];
}

/** What the gateway says of who is there, and what those believe who listen. */
export class PresenceBook {
  readonly #violate: (what: string) => void;
  readonly #said = new Map<string, Set<string>>();
  /** By boot of a listener: what it heard last of each device. */
  readonly #believed = new Map<string, Map<string, string>>();

  constructor(violate: (what: string) => void) {
    this.#violate = violate;
  }

  said(device: string, state: string): void {
    this.#said.set(device, (this.#said.get(device) ?? new Set()).add(state));
  }

  heard(listener: string, boot: number, device: string, state: string): void {
    if (!this.#said.get(device)?.has(state))
      this.#violate(`${listener} heard that ${device} is ${state}, which it never was`);
    const key = `${listener}/${boot}`;
    this.#believed.set(key, (this.#believed.get(key) ?? new Map()).set(device, state));
  }

  /** All devices are there: does the listener know? */
  check(listener: string, boot: number, devices: Iterable<string>): void {
    const believed = this.#believed.get(`${listener}/${boot}`);
    for (const device of devices) {
      const state = believed?.get(device) ?? 'not there at all';
      if (state !== 'online') this.#violate(`${listener} takes ${device} for ${state}; it is online`);
    }
  }
}
