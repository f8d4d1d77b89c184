/** Which config entry uses which device, so that two entries never fight over one. One for all ports of a gateway. */
export class PortClaims {
  readonly #owners = new Map<string, string>();

  /** Takes `device` (its real path, no symlink) for `owner`. False when another has it. */
  claim(device: string, owner: string): boolean {
    const holder = this.#owners.get(device);
    if (holder !== undefined) return holder === owner;
    this.#owners.set(device, owner);
    return true;
  }

  holder(device: string): string | undefined {
    return this.#owners.get(device);
  }

  /** Only the owner's own claim is given up. */
  release(device: string, owner: string): void {
    if (this.#owners.get(device) === owner) this.#owners.delete(device);
  }
}
