import { Session } from '../../src/gateway/session.js';
import type { Channel } from '../../src/router/channel.js';
import { type EmitOptions, Router } from '../../src/router/router.js';
import type { Run, Subscriber } from '../../src/router/subscriber.js';
import { BROADCAST_CHANNEL } from '../../src/wire/channels.js';
import type { Qos } from '../../src/wire/messages.js';
import type { ReasonName } from '../../src/wire/reasons.js';

/** What somebody asked the router to pass on. */
export interface Emission {
  readonly channel: string;
  readonly text: string;
  readonly qos: Qos;
  /** Whose emit it is; undefined for the gateway's own. */
  readonly from: string | undefined;
  /** Why nobody got it. */
  readonly refusal: ReasonName | undefined;
}

export interface RouterEvents {
  emitted(emission: Emission): void;
  /** The session is over. */
  ended(session: Session): void;
}

/** The router as it is, watched: the very moment at which a message is passed on, or refused, and a session ends. */
export class WatchedRouter extends Router {
  watch: RouterEvents | undefined;

  override emit(
    target: Channel | string,
    payload: Uint8Array,
    options: EmitOptions,
    from?: Subscriber,
  ): ReasonName | undefined {
    const channel = typeof target === 'string' ? target : target.name;
    return this.#watched(channel, payload, options.qos, from, () =>
      super.emit(target, payload, options, from),
    );
  }

  override broadcast(payload: Uint8Array, options: EmitOptions, from?: Subscriber): ReasonName | undefined {
    return this.#watched(BROADCAST_CHANNEL, payload, options.qos, from, () =>
      super.broadcast(payload, options, from),
    );
  }

  override emitRun(channel: Channel, run: Run, from: Subscriber): boolean {
    const texts = [...run].map((payload) => Buffer.from(payload).toString());
    let passed = true;
    try {
      passed = super.emitRun(channel, run, from);
    } finally {
      // Also when the process dies in the middle of it.
      const emission = { channel: channel.name, qos: 0, from: nameOf(from), refusal: undefined } as const;
      if (passed) for (const text of texts) this.watch?.emitted({ ...emission, text });
    }
    return passed;
  }

  override remove(subscriber: Subscriber): void {
    super.remove(subscriber);
    if (subscriber instanceof Session) this.watch?.ended(subscriber);
  }

  #watched(
    channel: string,
    payload: Uint8Array,
    qos: Qos,
    subscriber: Subscriber | undefined,
    pass: () => ReasonName | undefined,
  ): ReasonName | undefined {
    const text = Buffer.from(payload).toString();
    const from = nameOf(subscriber);
    let refusal: ReasonName | undefined;
    try {
      refusal = pass();
    } finally {
      // Also when the process dies in the middle of it.
      const nobody = refusal === 'too_large_for_receiver' ? undefined : refusal;
      this.watch?.emitted({ channel, text, qos, from, refusal: nobody });
    }
    return refusal;
  }
}

function nameOf(subscriber: Subscriber | undefined): string | undefined {
  return subscriber instanceof Session ? subscriber.identity : undefined;
}
