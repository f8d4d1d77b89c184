import { SlipwayError } from '../errors.js';
import type { OutgoingControl } from '../session/outgoing.js';
import { channelProblem } from '../wire/channels.js';
import type { Reason } from '../wire/reasons.js';
import { checkQos, checkWill } from './check.js';
import type { LiveSession } from './live-session.js';
import type { LastWillOptions } from './options.js';
import { refusalError } from './refusal.js';

type Will = OutgoingControl<never> & { readonly type: 'will' };

const NONE: Will = { type: 'will', name: '', payload: new Uint8Array(), qos: 0, retain: false };

/** What the gateway is to emit when it loses this client (PROTOCOL.md §4.7): said again to one that has forgotten it. */
export class LastWill {
  readonly #session: LiveSession;
  readonly #refused: (error: SlipwayError) => void;
  /** What the gateway agreed to. */
  #standing: Will | undefined;

  /** `refused` is told when a gateway that has forgotten the will does not take it again. */
  constructor(session: LiveSession, refused: (error: SlipwayError) => void) {
    this.#session = session;
    this.#refused = refused;
  }

  /** Resolves and throws as `Client.setWill` does. */
  async set(will: LastWillOptions): Promise<void> {
    checkWill(will);
    const { channel, payload, qos = 1, retain = false } = will;
    const problem = channelProblem(channel);
    if (problem !== undefined)
      throw new SlipwayError('bad_channel', `the will's channel "${channel}": ${problem}`);
    checkQos(qos);
    await this.#send({ type: 'will', name: channel, payload: Buffer.from(payload as string), qos, retain });
  }

  /** Takes it back. */
  clear(): Promise<void> {
    return this.#send(NONE);
  }

  /** The gateway has a new numbering, and perhaps no session of this client any more. */
  renew(): void {
    if (this.#standing) this.#say(this.#standing, (reason) => this.#unlessAgreed(reason));
  }

  /** The gateway still has what an earlier run of this program left. */
  clearEarlier(): void {
    if (!this.#standing) this.#say(NONE, () => undefined);
  }

  #send(will: Will): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#say(will, (reason) => {
        if (reason !== undefined) return reject(refusalError('the will', tooLarge(reason)));
        this.#standing = will.name === '' ? undefined : will;
        resolve();
      });
    });
  }

  #say(will: Will, settle: (reason: Reason | undefined) => void): void {
    this.#session.engine.control(will, settle);
    this.#session.wake();
  }

  #unlessAgreed(reason: Reason | undefined): void {
    if (reason === undefined || reason === 'normal' || reason === 'end_session') return;
    this.#standing = undefined;
    this.#refused(refusalError('the will, said again,', tooLarge(reason)));
  }
}

/** The receiver that cannot take it is the gateway. */
function tooLarge(reason: Reason): Reason {
  return reason === 'too_large_for_receiver' ? 'too_large' : reason;
}
