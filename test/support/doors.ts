import { Access, type Review } from '../../src/access/access.js';
import type { Admission, Claim, Principal } from '../../src/access/principal.js';
import type { Rights } from '../../src/access/rights.js';

const EVERYTHING: Rights = {
  mayEmit: () => true,
  maySubscribe: () => true,
  mayReceive: () => true,
  mayBroadcast: true,
};

/** Who may connect, as a test says; a password is looked at for as long as the test wants. */
export class Doors extends Access {
  readonly keys = new Map<string, Uint8Array>();
  readonly passwords = new Map<string, string>();
  /** What everybody may do who is let in. */
  rights = EVERYTHING;
  /** What was asked so far. */
  readonly claims: Claim[] = [];
  /** Those whose password is being looked at. */
  readonly #waiting: (() => void)[] = [];

  override get enforced(): boolean {
    return true;
  }

  override deviceKey(identity: string): Uint8Array | undefined {
    return this.keys.get(identity);
  }

  override admit(claim: Claim): Admission | Promise<Admission> {
    this.claims.push(claim);
    const { device, proved, user, secret } = claim;
    if (device !== undefined && this.keys.has(device) && !proved) return { refused: 'bad_credentials' };
    if (user === undefined || !secret)
      return this.#admitted({
        ...(device && { device }),
        ...(proved && { key: 'proved' }),
        from: 'loopback',
      });
    return new Promise<void>((resolve) => this.#waiting.push(resolve)).then(() =>
      this.passwords.get(user) === Buffer.from(secret).toString()
        ? this.#admitted({ ...(device && { device }), user, from: 'loopback' })
        : { refused: 'bad_credentials' },
    );
  }

  override mayTakeOver(owner: Principal, newcomer: Principal): boolean {
    return owner.user === undefined || owner.user === newcomer.user;
  }

  override review({ device, user, key }: Principal): Review {
    const gone = user !== undefined && !this.passwords.has(user);
    const unproved = device !== undefined && this.keys.has(device) && key === undefined;
    return { rights: this.rights, admitted: !gone && !unproved };
  }

  /** The passwords that wait have been looked at, and the answers were heard. */
  async look(): Promise<void> {
    for (const resolve of this.#waiting.splice(0)) resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Says that users, keys or rights have changed. */
  override change(): void {
    super.change(undefined);
  }

  #admitted(principal: Principal): Admission {
    return { principal, rights: this.rights };
  }
}
