import { SlipwayError } from '../errors.js';
import type { OutgoingEmit } from '../session/outgoing.js';
import { BROADCAST_CHANNEL } from '../wire/channels.js';
import type { ChannelNames } from './channel-names.js';
import { checkQos } from './check.js';
import type { LiveSession } from './live-session.js';
import type { EmitOptions } from './options.js';
import { refusalError } from './refusal.js';

type Emit = OutgoingEmit<ReturnType<ChannelNames['hold']>>;

/** Sends a client's messages, and tells what became of them. */
export class Emitter {
  readonly #session: LiveSession;
  readonly #channels: ChannelNames;

  constructor(session: LiveSession, channels: ChannelNames) {
    this.#session = session;
    this.#channels = channels;
  }

  /** Resolves and throws as `Client.emit` does; the name is a valid channel's. */
  async emit(
    name: string,
    payload: string | Uint8Array,
    { qos = 1, retain = false }: EmitOptions,
  ): Promise<void> {
    checkQos(qos);
    const what = name === BROADCAST_CHANNEL ? 'the broadcast' : `the emit on "${name}"`;
    const channel = this.#channels.hold(name);
    try {
      const emit: Emit = { type: 'emit', channel, payload: Buffer.from(payload as string), qos, retain };
      await (qos === 0 ? this.#emitUnreliable(emit, what) : this.#emitReliable(emit, what));
    } finally {
      this.#channels.release(channel);
    }
  }

  #emitUnreliable(emit: Emit, what: string): void {
    if (!this.#session.stands)
      throw new SlipwayError(
        'not_connected',
        `${what} was not sent: there is no connection, and QoS 0 does not wait`,
      );
    const refusal = this.#session.engine.emitUnreliable(emit, this.#session.room);
    if (refusal === 'too_large_for_receiver') throw refusalError(what, 'too_large');
    if (refusal)
      throw new SlipwayError(
        'queue_full',
        `${what} was not sent: the gateway does not read as fast as this client emits`,
      );
    this.#session.wake();
  }

  #emitReliable(emit: Emit, what: string): Promise<void> {
    const refusal = this.#session.engine.refusal(emit.channel, emit.payload.length, true);
    if (refusal) throw refusalError(what, refusal === 'queue_full' ? refusal : 'too_large');
    return new Promise((resolve, reject) => {
      this.#session.engine.emitReliable(emit, (reason) => {
        if (reason === undefined) resolve();
        else reject(refusalError(what, reason));
      });
      this.#session.wake();
    });
  }
}
