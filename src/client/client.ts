import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { type Cancel, type Clock, systemClock } from '../clock.js';
import { SlipwayError } from '../errors.js';
import { BROADCAST_CHANNEL } from '../wire/channels.js';
import { DEFAULT_MAX_PACKET_BYTES, MAX_VARINT } from '../wire/limits.js';
import type { Qos, Refuse } from '../wire/messages.js';
import { ChannelNames } from './channel-names.js';
import { checkNumber } from './check.js';
import { credentialsOf, credentialsProblem } from './credentials.js';
import { Emitter } from './emitter.js';
import { GatewayTime, type TimeOfDay } from './gateway-time.js';
import { isolated } from './isolated.js';
import { LastWill } from './last-will.js';
import { LiveSession } from './live-session.js';
import {
  type ConnectOptions,
  checkOptions,
  DEFAULT_HOST,
  DEFAULT_PORT,
  DEFAULT_TIMEOUT_MS,
  type EmitOptions,
  type LastWillOptions,
} from './options.js';
import { PayloadCopies } from './payload-copies.js';
import { Reconnector } from './reconnector.js';
import { refusalError } from './refusal.js';
import { ClientSubscriber } from './subscriber.js';
import {
  type MessageHandler,
  ReceivedMessage,
  type SubscribeOptions,
  type Subscription,
} from './subscription.js';

/** The events of a client, each with what its listeners get. */
export interface ClientEvents {
  /** The session stands, again perhaps. If it was not resumed, what was emitted meanwhile has passed this client by. */
  connected: [{ resumed: boolean }];
  /** The session does not stand any more; the client seeks it again by itself. */
  disconnected: [{ reason: string }];
  /**
   * The gateway refused something that nobody waits for: an emit of QoS 0, a subscription made again, the session. Where that is
   * for its credentials (`bad_credentials`) the client closes: they were taken away, or changed.
   */
  refused: [SlipwayError];
  /** An iterator was not read fast enough and has lost messages; see `subscription.dropped`. */
  overflow: [Subscription];
}

const CLOSE_GRACE_MS = 2000;
const CLOSED = 'the client was closed';

/**
 * Connects to a gateway over TCP and resolves when the session stands, and the will, if there is one, is left.
 * @throws SlipwayError `connect_failed` when no gateway answers there in time; `identity_invalid` when the identity breaks
 *   PROTOCOL.md §4.1; `invalid_option` for an option that is not known, a number out of range, a will that is none or credentials
 *   that do not go together; `insecure_connection` when a password or token would cross a network for everyone to read;
 *   `bad_credentials` when the gateway does not accept them; else the gateway's own reason (§7)
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const client = new Client(options);
  await client.open();
  return client;
}

/** A program's session with a gateway. It reconnects and subscribes again by itself. Get one from `connect`. */
export class Client {
  readonly identity: string;
  readonly #events = new EventEmitter<ClientEvents>();
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  readonly #session: LiveSession;
  readonly #reconnector: Reconnector;
  readonly #subscriber: ClientSubscriber;
  readonly #emitter: Emitter;
  readonly #will: LastWill;
  readonly #time: GatewayTime;
  #opening: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ConnectOptions) {
    this.identity = checkOptions(options).identity ?? `program-${randomBytes(6).toString('hex')}`;
    const { host = DEFAULT_HOST, port = DEFAULT_PORT, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const channels = new ChannelNames();
    this.#session = this.#createSession(channels);
    this.#subscriber = new ClientSubscriber(this.#session, {
      refused: (error) => this.#tell('refused', error),
      overflow: (subscription) => this.#tell('overflow', subscription),
    });
    this.#emitter = new Emitter(this.#session, channels);
    this.#will = new LastWill(this.#session, (error) => this.#tell('refused', error));
    this.#time = new GatewayTime(this.#clock, timeoutMs, (token) => {
      this.#session.engine.askTime(token);
      this.#session.wake();
    });
    this.#reconnector = new Reconnector({
      host,
      port,
      tls: options.tls === true ? {} : options.tls || undefined,
      timeoutMs,
      maxPacket: DEFAULT_MAX_PACKET_BYTES.tcp,
      clock: this.#clock,
      onLink: (link) => this.#session.connected(link),
    });
  }

  /** `connect` calls this. */
  async open(): Promise<void> {
    const { host = DEFAULT_HOST, port = DEFAULT_PORT, timeoutMs = DEFAULT_TIMEOUT_MS, will } = this.#options;
    let stopWaiting: Cancel | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const stands = new Promise<void>((established) => {
          this.#opening = { resolve: established, reject };
        });
        const giveUp = () => {
          const { lostOver } = this.#reconnector;
          const lost = lostOver === undefined ? '' : ` (${lostOver})`;
          const silent = `${host}:${port} took the connection but did not answer within ${timeoutMs} ms${lost}: is it a Slipway gateway?`;
          reject(new SlipwayError('connect_failed', silent + this.#tlsHint(lostOver)));
        };
        const connected = this.#reconnector.connect().then(() => {
          stopWaiting = this.#clock.schedule(timeoutMs, giveUp);
        });
        // The will goes with the first packet of the session.
        Promise.all([connected, stands, will && this.setWill(will)]).then(() => resolve(), reject);
      });
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      stopWaiting?.();
      this.#opening = undefined;
    }
  }

  /** A gateway that wants TLS, or a certificate, hangs up on who has none, and cannot say why. */
  #tlsHint(lostOver: string | undefined): string {
    const { tls } = this.#options;
    if (lostOver === undefined) return '';
    if (!tls) return ' Or does that port want TLS (tls, or --tls and --ca FILE)?';
    const shows = typeof tls === 'object' && tls.cert !== undefined;
    return shows ? '' : ' Or does it want a certificate (tls.cert, tls.key)?';
  }

  /** What a listener throws becomes an uncaught exception of the process. */
  on<E extends keyof ClientEvents>(event: E, listener: (...args: ClientEvents[E]) => void): this {
    this.#events.on(event, listener as never);
    return this;
  }

  off<E extends keyof ClientEvents>(event: E, listener: (...args: ClientEvents[E]) => void): this {
    this.#events.off(event, listener as never);
    return this;
  }

  /** Whether the session stands at the moment. */
  get connected(): boolean {
    return this.#session.stands;
  }

  /**
   * Subscribes to a pattern (PROTOCOL.md §6.2), now and after every reconnection. Resolves when the gateway has agreed. With
   * `$share/<group>/<pattern>` each message goes to one of those who subscribe so.
   * Messages go to `handler`, or wait for whoever iterates over the subscription: 10 000 at most, the rest is dropped and
   * told by `overflow`.
   * @throws SlipwayError `bad_channel`; `invalid_option` for an option that is not known or a QoS that is none; the gateway's
   *   own reason (§7); `end_session` when the client is closed first
   */
  async subscribe(
    pattern: string,
    handler?: MessageHandler,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.#assertOpen();
    return this.#subscriber.subscribe(pattern, handler, options);
  }

  /** Ends every subscription of this client to `pattern`: no message reaches its handlers from now on. */
  unsubscribe(pattern: string): void {
    this.#subscriber.unsubscribe(pattern);
  }

  /**
   * Emits on a channel. At QoS 1 and 2 it resolves when the gateway has taken responsibility (PROTOCOL.md §5.1), and
   * waits for a lost connection to come back. At QoS 0 it resolves at once, or, when much waits to be sent, as soon as that
   * has left: a loop that awaits goes as fast as the gateway reads.
   * @throws SlipwayError `bad_channel`; `queue_full` when too much waits already; `not_connected` at QoS 0 without a
   *   session; the gateway's own reason (§7); `end_session` when the client is closed first
   */
  emit(name: string, payload: string | Uint8Array, options: EmitOptions = {}): Promise<void> {
    // No async function: it would make a promise for each message, and most are sent when this returns.
    try {
      this.#assertOpen();
      return this.#emitter.emit(name, payload, options);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Sends a message to everyone connected but this client (PROTOCOL.md §6.4). Resolves and throws as `emit` does. */
  broadcast(payload: string | Uint8Array, options: { qos?: Qos } = {}): Promise<void> {
    return this.emit(BROADCAST_CHANNEL, payload, options);
  }

  /**
   * Leaves a message that the gateway emits, of QoS 1 unless told otherwise, when it loses this client: once a loss, and
   * only if the client is not back within 5 s (PROTOCOL.md §4.7). `close` is no loss. It replaces an earlier one, and is
   * left again at a gateway that has forgotten it. Resolves when the gateway has agreed.
   * @throws SlipwayError `bad_channel`; the gateway's own reason (§7); `end_session` when the client is closed first
   */
  async setWill(will: LastWillOptions): Promise<void> {
    this.#assertOpen();
    return this.#will.set(will);
  }

  /** Takes the will back. Resolves and throws as `setWill` does. */
  async clearWill(): Promise<void> {
    this.#assertOpen();
    return this.#will.clear();
  }

  /**
   * What time it is at the gateway. Of five questions the one that was answered fastest counts, and half its round trip is
   * allowed for: what is left is the uncertainty.
   * @throws SlipwayError `not_connected` without a session; `timeout` when there is no answer within `timeoutMs`;
   *   `end_session` when the client is closed first
   */
  async time(): Promise<TimeOfDay> {
    this.#assertOpen();
    if (!this.connected)
      throw new SlipwayError(
        'not_connected',
        'the gateway was not asked for its time: there is no connection',
      );
    return this.#time.now();
  }

  /**
   * Announces that this client wants nothing for so many seconds, 1 to 268 435 455: the gateway holds what is reliable,
   * and the last message of QoS 0 on each channel (PROTOCOL.md §4.7). Resolves when the gateway has agreed. The client is
   * awake again when it emits, subscribes, unsubscribes or asks for anything, when it has to connect again, and when the
   * time is over.
   * @throws SlipwayError `invalid_option`; the gateway's own reason (§7); `end_session` when the client is closed first
   */
  async sleep(seconds: number): Promise<void> {
    checkNumber('seconds', seconds, 1, MAX_VARINT);
    return this.#announceSleep(seconds);
  }

  /** Ends a sleep before its time. Resolves and throws as `sleep` does. */
  async wake(): Promise<void> {
    return this.#announceSleep(0);
  }

  /**
   * Waits up to 2 s for what is unacknowledged, says goodbye and closes the connection. The gateway forgets the session
   * unless it was given an identity. May be called again.
   */
  close(): Promise<void> {
    // Not at once: what `#close` ends has to find the client closing.
    this.#closing ??= Promise.resolve().then(() => this.#close());
    return this.#closing;
  }

  #assertOpen(): void {
    if (this.#closing) throw new SlipwayError('end_session', CLOSED);
  }

  #announceSleep(seconds: number): Promise<void> {
    this.#assertOpen();
    return new Promise((resolve, reject) => {
      this.#session.engine.announceSleep(seconds, (reason) => {
        if (reason === undefined) resolve();
        else reject(refusalError(seconds > 0 ? 'the sleep' : 'the end of the sleep', reason));
      });
      this.#session.wake();
    });
  }

  #createSession(channels: ChannelNames): LiveSession {
    const payloads = new PayloadCopies();
    return new LiveSession(this.identity, credentialsOf(this.#options), this.#options, this.#clock, {
      hold: (name) => channels.hold(name),
      release: (channel) => channels.release(channel),
      emit: (target, { payload, qos, retain }) => {
        const name = typeof target === 'string' ? target : target.name;
        return this.#subscriber.take(new ReceivedMessage(name, payloads.copy(payload), qos, retain));
      },
      fresh: () => {
        this.#subscriber.renew();
        this.#will.renew();
      },
      ready: ({ resumed }) => this.#ready(resumed),
      lost: (reason) => {
        this.#reconnector.doubted();
        this.#time.lost(new SlipwayError('not_connected', `the connection was lost: ${reason}`));
        this.#tell('disconnected', { reason });
      },
      refused: (message, session) => this.#refused(message, session),
      timed: (token, time) => this.#time.answered(token, time),
    });
  }

  #ready(resumed: boolean): void {
    this.#reconnector.proved();
    if (resumed && this.#opening) {
      this.#subscriber.keepUnclaimed();
      if (!this.#options.will) this.#will.clearEarlier();
    }
    this.#opening?.resolve();
    this.#tell('connected', { resumed });
  }

  #tell<E extends keyof ClientEvents>(event: E, ...args: ClientEvents[E]): void {
    isolated(() => this.#events.emit(event as never, ...(args as never)), undefined);
  }

  #refused({ reason }: Refuse, session: boolean): void {
    const why = session ? credentialsProblem(reason, this.#options) : undefined;
    const error = refusalError(session ? `"${this.identity}"` : 'a message of QoS 0', reason, why);
    if (session && this.#opening) return this.#opening.reject(error);
    this.#tell('refused', error);
    // To say them again and again would help nobody, and count as an attack.
    if (session && reason === 'bad_credentials') void this.close();
  }

  async #close(): Promise<void> {
    this.#reconnector.stop();
    this.#subscriber.close();
    await this.#session.settled(CLOSE_GRACE_MS);
    this.#time.lost(new SlipwayError('end_session', CLOSED));
    const goodbye = this.#session.end(this.#options.identity === undefined ? 'end_session' : 'normal');
    this.#subscriber.finish();
    await this.#session.hangUp(goodbye);
  }
}
