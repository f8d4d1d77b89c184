import { SlipwayError } from '../errors.js';
import type { Channel } from '../session/outgoing.js';
import { BROADCAST_CHANNEL, channelProblem } from '../wire/channels.js';
import type { Qos } from '../wire/messages.js';
import type { ChannelNames } from './channel-names.js';
import { checkQos } from './check.js';
import type { LiveSession } from './live-session.js';
import type { EmitOptions } from './options.js';
import { PayloadCopies } from './payload-copies.js';
import { refusalError } from './refusal.js';

/** Sends a client's messages, and tells what became of them. */
export class Emitter {
  readonly #session: LiveSession;
  readonly #channels: ChannelNames;
  readonly #payloads = new PayloadCopies();

  constructor(session: LiveSession, channels: ChannelNames) {
    this.#session = session;
    this.#channels = channels;
  }

  /** Resolves as `Client.emit` does, and throws, at once, where that rejects. */
  emit(name: string, payload: string | Uint8Array, { qos = 1, retain = false }: EmitOptions): Promise<void> {
    checkQos(qos);
    // One that is known was checked when it came to be.
    const channel = this.#channels.find(name) ?? checked(name);
    return qos === 0
      ? this.#emitUnreliable(channel, payload, retain)
      : this.#emitReliable(name, payload, qos, retain);
  }

  #emitUnreliable(channel: Channel, payload: string | Uint8Array, retain: boolean): Promise<void> {
    const session = this.#session;
    if (!session.stands)
      throw new SlipwayError(
        'not_connected',
        `${what(channel.name)} was not sent: there is no connection, and QoS 0 does not wait`,
      );
    // The engine copies it.
    const bytes = payload instanceof Uint8Array ? payload : Buffer.from(payload);
    const refusal = session.engine.emitUnreliable({ channel, payload: bytes, retain }, session.room);
    if (refusal === 'too_large_for_receiver') throw refusalError(what(channel.name), 'too_large');
    if (refusal)
      throw new SlipwayError(
        'queue_full',
        `${what(channel.name)} was not sent: the gateway does not read as fast as this client emits`,
      );
    session.wake();
    return session.relief;
  }

  #emitReliable(name: string, payload: string | Uint8Array, qos: Qos, retain: boolean): Promise<void> {
    const { engine } = this.#session;
    const bytes = payload instanceof Uint8Array ? this.#payloads.copy(payload) : Buffer.from(payload);
    const channel = this.#channels.hold(name);
    const refusal = engine.refusal(channel, bytes.length, true);
    if (refusal) {
      this.#channels.release(channel);
      throw refusalError(what(name), refusal === 'queue_full' ? refusal : 'too_large');
    }
    return new Promise((resolve, reject) => {
      engine.emitReliable({ type: 'emit', channel, payload: bytes, qos, retain }, (reason) => {
        this.#channels.release(channel);
        if (reason === undefined) resolve();
        else reject(refusalError(what(name), reason));
      });
      this.#session.wake();
    });
  }
}

function checked(name: string): Channel {
  const problem = channelProblem(name);
  if (problem !== undefined) throw new SlipwayError('bad_channel', `channel "${name}": ${problem}`);
  return { name };
}

function what(name: string): string {
  return name === BROADCAST_CHANNEL ? 'the broadcast' : `the emit on "${name}"`;
}
