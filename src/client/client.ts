import { randomBytes, randomInt } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { type Cancel, type Clock, systemClock } from '../clock.js';
import { Counters } from '../counters.js';
import { SlipwayError } from '../errors.js';
import type { Link, LinkEvents } from '../links/link.js';
import { Alarms } from '../session/alarms.js';
import { Driver } from '../session/driver.js';
import type { Channel, OutgoingEmit } from '../session/outgoing.js';
import { PeerSession } from '../session/peer-session.js';
import { BROADCAST_CHANNEL, channelProblem, identityProblem, patternProblem } from '../wire/channels.js';
import {
  DEFAULT_KEEP_ALIVE_S,
  DEFAULT_MAX_PACKET_BYTES,
  DEFAULT_WINDOW,
  MAX_VARINT,
} from '../wire/limits.js';
import type { Emit, Qos, Refuse } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';
import { ChannelNames } from './channel-names.js';
import { checkNumber, checkQos } from './check.js';
import { isolated } from './isolated.js';
import { Reconnector } from './reconnector.js';
import { refusalError } from './refusal.js';
import { type MessageHandler, ReceivedMessage, type SubscribeOptions, Subscription } from './subscription.js';
import { type Audience, ClientSubscriptions, combined } from './subscriptions.js';
import { Unclaimed } from './unclaimed.js';

export interface ConnectOptions {
  /** 127.0.0.1 unless given. */
  readonly host?: string;
  /** 7770 unless given. */
  readonly port?: number;
  /**
   * Who this program is (PROTOCOL.md §4.1); a random name unless given. Only one program at a time can have it. What the
   * gateway held for an earlier run under this name waits, 10 000 messages and 16 MiB at most, until this run subscribes
   * to it, or unsubscribes from anything.
   */
  readonly identity?: string;
  /** How long the gateway keeps the session after the connection is lost, s, at most 268 435 455; 60 unless given. */
  readonly expiry?: number;
  /** The longest silence on the connection, s, at most 65 535; 30 unless given. */
  readonly keepAlive?: number;
  /** How long `connect` waits for the connection, and then for the gateway's answer, ms; 5000 unless given. */
  readonly timeoutMs?: number;
  /** Emits of QoS 1 and 2 that may wait to be acknowledged; 10 000 unless given. */
  readonly maxQueue?: number;
  readonly clock?: Clock;
}

export interface EmitOptions {
  /** 1 unless given. */
  readonly qos?: Qos;
  /** Keep it as the channel's last value; an empty payload clears that (PROTOCOL.md §6.5). */
  readonly retain?: boolean;
}

/** The events of a client, each with what its listeners get. */
export interface ClientEvents {
  /** The session stands, again perhaps. If it was not resumed, what was emitted meanwhile has passed this client by. */
  connected: [{ resumed: boolean }];
  /** The session does not stand any more; the client seeks it again by itself. */
  disconnected: [{ reason: string }];
  /** The gateway refused something that nobody waits for: an emit of QoS 0, a subscription made again, the session. */
  refused: [SlipwayError];
  /** An iterator was not read fast enough and has lost messages; see `subscription.dropped`. */
  overflow: [Subscription];
}

const DEFAULT_TIMEOUT_MS = 5000;
/** The longest that the system's timers wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const DEFAULT_MAX_QUEUE = 10_000;
const MAX_QUEUE_BYTES = 64 * 1_048_576;
const MAX_BACKLOG_BYTES = 16 * 1_048_576;
const CLOSE_GRACE_MS = 2000;
const MAX_IDS = 16_383;

/**
 * Connects to a gateway over TCP and resolves when the session stands.
 * @throws SlipwayError `connect_failed` when no gateway answers there in time; `identity_invalid` when the identity breaks
 *   PROTOCOL.md §4.1; `invalid_option` for a number out of range; else the gateway's own reason (§7)
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
  readonly #alarms: Alarms;
  readonly #session: PeerSession<Channel>;
  readonly #channels = new ChannelNames();
  readonly #subscriptions = new ClientSubscriptions();
  /** There while the gateway may send what an earlier run of this program subscribed to. */
  #unclaimed: Unclaimed | undefined;
  readonly #reconnector: Reconnector;
  #link: Link | undefined;
  #driver: Driver | undefined;
  #opening: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #closing: Promise<void> | undefined;
  /** Ends the wait of `close`: nothing is unacknowledged any more, or nothing more will be. */
  #idle: (() => void) | undefined;

  constructor(options: ConnectOptions) {
    this.identity = options.identity ?? `program-${randomBytes(6).toString('hex')}`;
    const problem = identityProblem(this.identity);
    if (problem !== undefined)
      throw new SlipwayError('identity_invalid', `identity "${this.identity}": ${problem}`);
    checkNumber('keepAlive', options.keepAlive ?? 0, 0, 65_535);
    checkNumber('expiry', options.expiry ?? 0, 0, MAX_VARINT);
    checkNumber('port', options.port ?? 7770, 1, 65_535);
    checkNumber('timeoutMs', options.timeoutMs ?? DEFAULT_TIMEOUT_MS, 1, MAX_TIMEOUT_MS);
    checkNumber('maxQueue', options.maxQueue ?? DEFAULT_MAX_QUEUE, 1, Number.MAX_SAFE_INTEGER);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#alarms = new Alarms(this.#clock);
    this.#session = this.#createSession();
    this.#reconnector = new Reconnector({
      host: options.host ?? '127.0.0.1',
      port: options.port ?? 7770,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxPacket: DEFAULT_MAX_PACKET_BYTES.tcp,
      clock: this.#clock,
      onLink: (link) => this.#connected(link),
    });
  }

  /** `connect` calls this. */
  async open(): Promise<void> {
    const { host = '127.0.0.1', port = 7770, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const silent = `${host}:${port} took the connection but did not answer within ${timeoutMs} ms: is it a Slipway gateway?`;
    let stopWaiting: Cancel | undefined;
    try {
      const stands = new Promise<void>((resolve, reject) => {
        this.#opening = { resolve, reject };
      });
      const connected = this.#reconnector.connect().then(() => {
        const giveUp = () => this.#opening?.reject(new SlipwayError('connect_failed', silent));
        stopWaiting = this.#clock.schedule(timeoutMs, giveUp);
      });
      await Promise.all([connected, stands]);
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      stopWaiting?.();
      this.#opening = undefined;
    }
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
    return this.#session.state === 'ready';
  }

  /**
   * Subscribes to a pattern (PROTOCOL.md §6.2), now and after every reconnection. Resolves when the gateway has agreed.
   * Messages go to `handler`, or wait for whoever iterates over the subscription: 10 000 at most, the rest is dropped and
   * told by `overflow`.
   * @throws SlipwayError `bad_channel`; the gateway's own reason (§7); `end_session` when the client is closed first
   */
  async subscribe(
    pattern: string,
    handler?: MessageHandler,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    const problem = patternProblem(pattern);
    if (problem !== undefined) throw new SlipwayError('bad_channel', `pattern "${pattern}": ${problem}`);
    if (options.qos !== undefined) checkQos(options.qos);
    this.#assertOpen();
    const subscription = new Subscription(pattern, options, handler, (ended) => this.#unsubscribe(ended));
    const audience = this.#subscriptions.add(subscription);
    this.#claim(pattern);
    const agreed = new Promise<void>((resolve, reject) => audience.waiting.push({ resolve, reject }));
    this.#sendSubscribe(audience);
    this.#driver?.wake();
    await agreed;
    return subscription;
  }

  /** Ends every subscription of this client to `pattern`: no message reaches its handlers from now on. */
  unsubscribe(pattern: string): void {
    for (const member of this.#subscriptions.to(pattern)) this.#unsubscribe(member);
  }

  /**
   * Emits on a channel. At QoS 1 and 2 it resolves when the gateway has taken responsibility (PROTOCOL.md §5.1), and
   * waits for a lost connection to come back; at QoS 0 it resolves at once.
   * @throws SlipwayError `bad_channel`; `queue_full` when too much waits already; `not_connected` at QoS 0 without a
   *   session; the gateway's own reason (§7); `end_session` when the client is closed first
   */
  async emit(name: string, payload: string | Uint8Array, options: EmitOptions = {}): Promise<void> {
    const problem = channelProblem(name);
    if (problem !== undefined) throw new SlipwayError('bad_channel', `channel "${name}": ${problem}`);
    return this.#emit(name, payload, options);
  }

  /** Sends a message to everyone connected but this client (PROTOCOL.md §6.4). Resolves and throws as `emit` does. */
  async broadcast(payload: string | Uint8Array, options: { qos?: Qos } = {}): Promise<void> {
    return this.#emit(BROADCAST_CHANNEL, payload, options);
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

  // -------------------------------------------------------------------------------------------------- sending

  async #emit(
    name: string,
    payload: string | Uint8Array,
    { qos = 1, retain = false }: EmitOptions,
  ): Promise<void> {
    checkQos(qos);
    this.#assertOpen();
    const what = name === BROADCAST_CHANNEL ? 'the broadcast' : `the emit on "${name}"`;
    const channel = this.#channels.hold(name);
    try {
      const emit: OutgoingEmit<Channel> = {
        type: 'emit',
        channel,
        payload: Buffer.from(payload as string),
        qos,
        retain,
      };
      await (qos === 0 ? this.#emitUnreliable(emit, what) : this.#emitReliable(emit, what));
    } finally {
      this.#channels.release(channel);
    }
  }

  #emitUnreliable(emit: OutgoingEmit<Channel>, what: string): void {
    if (!this.connected)
      throw new SlipwayError(
        'not_connected',
        `${what} was not sent: there is no connection, and QoS 0 does not wait`,
      );
    const room = MAX_BACKLOG_BYTES - (this.#link?.backlog() ?? 0);
    const refusal = this.#session.engine.emitUnreliable(emit, room);
    if (refusal === 'too_large_for_receiver') throw refusalError(what, 'too_large');
    if (refusal)
      throw new SlipwayError(
        'queue_full',
        `${what} was not sent: the gateway does not read as fast as this client emits`,
      );
    this.#driver?.wake();
  }

  #emitReliable(emit: OutgoingEmit<Channel>, what: string): Promise<void> {
    const refusal = this.#session.engine.refusal(emit.channel, emit.payload.length, true);
    if (refusal) throw refusalError(what, refusal === 'queue_full' ? refusal : 'too_large');
    return new Promise((resolve, reject) => {
      this.#session.engine.emitReliable(emit, (reason) => {
        if (reason === undefined) resolve();
        else reject(refusalError(what, reason));
      });
      this.#driver?.wake();
    });
  }

  #assertOpen(): void {
    if (this.#closing) throw new SlipwayError('end_session', 'the client was closed');
  }

  // -------------------------------------------------------------------------------------------- subscriptions

  #sendSubscribe(audience: Audience): void {
    const { pattern } = audience;
    this.#session.engine.control({ type: 'subscribe', pattern, id: 0, ...combined(audience) }, (reason) => {
      this.#subscribed(audience, reason);
    });
  }

  #subscribed(audience: Audience, reason: Reason | undefined): void {
    const waiting = audience.waiting.splice(0);
    if (reason === undefined) {
      for (const { resolve } of waiting) resolve();
      return;
    }
    const error = refusalError(`the subscription to "${audience.pattern}"`, reason);
    for (const member of this.#subscriptions.to(audience.pattern)) {
      this.#subscriptions.remove(member);
      member.finish();
    }
    for (const { reject } of waiting) reject(error);
    if (waiting.length === 0 && !this.#closing) this.#tell('refused', error);
  }

  /** Hands over what waited for such a subscription, to all that are made in this turn. */
  #claim(pattern: string): void {
    const claimed = this.#unclaimed?.claim(pattern) ?? [];
    queueMicrotask(() => {
      for (const message of claimed) this.#deliver(message);
    });
  }

  #unsubscribe(subscription: Subscription): void {
    // What still comes on this pattern is not wanted, and cannot be told from what is.
    this.#unclaimed = undefined;
    const emptied = this.#subscriptions.remove(subscription);
    subscription.finish();
    if (!emptied || this.#closing) return;
    // The answer may be lost with the gateway, and nobody would ask again.
    for (const { resolve } of emptied.waiting.splice(0)) resolve();
    this.#session.engine.control({ type: 'unsubscribe', pattern: subscription.pattern });
    this.#driver?.wake();
  }

  // ---------------------------------------------------------------------------------------------- the session

  #createSession(): PeerSession<Channel> {
    const {
      identity,
      expiry = 60,
      keepAlive = DEFAULT_KEEP_ALIVE_S,
      maxQueue = DEFAULT_MAX_QUEUE,
    } = this.#options;
    const window = DEFAULT_WINDOW.tcp;
    return new PeerSession<Channel>(
      {
        identity: this.identity,
        nonce: randomInt(2 ** 32),
        clean: identity === undefined,
        program: true,
        keepAlive,
        expiry,
        limits: {
          maxPacket: DEFAULT_MAX_PACKET_BYTES.tcp,
          window,
          inFlight: window,
          buffer: 0,
          ids: MAX_IDS,
        },
      },
      {
        hold: (name) => this.#channels.hold(name),
        release: (channel) => this.#channels.release(channel),
        emit: (target, payload, message) => this.#take(target, payload, message),
        fresh: () => {
          for (const audience of this.#subscriptions) this.#sendSubscribe(audience);
        },
        ready: ({ resumed }) => {
          this.#reconnector.proved();
          if (resumed && this.#opening) this.#unclaimed = new Unclaimed();
          this.#opening?.resolve();
          this.#tell('connected', { resumed });
        },
        lost: (reason) => {
          this.#reconnector.doubted();
          this.#tell('disconnected', { reason });
        },
        refused: (message, session) => this.#refused(message, session),
      },
      new Counters(),
      { messages: maxQueue, bytes: MAX_QUEUE_BYTES },
      Math.random,
    );
  }

  #connected(link: Link): LinkEvents {
    this.#link = link;
    this.#driver = new Driver(this.#session, this.#alarms, (packet) => link.send(packet));
    this.#session.linkUp(link, this.#clock.now());
    this.#driver.wake();
    return {
      packet: (packet) => {
        this.#session.receive(packet, this.#clock.now());
        this.#driver?.wake();
        if (this.#session.engine.pending === 0) this.#idle?.();
      },
      drained: () => this.#driver?.wake(),
      closed: (reason) => {
        this.#driver?.stop();
        this.#driver = undefined;
        this.#link = undefined;
        this.#session.linkDown(reason);
        this.#idle?.();
      },
    };
  }

  #take(target: Channel | string, payload: Uint8Array, { qos, retain }: Emit): Reason | undefined {
    const channel = typeof target === 'string' ? target : target.name;
    const message = new ReceivedMessage(channel, payload, qos, retain);
    // A broadcast comes to those who did not subscribe, too.
    if (!this.#unclaimed || channel === BROADCAST_CHANNEL || this.#subscriptions.has(channel)) {
      this.#deliver(message);
      return undefined;
    }
    return this.#unclaimed.keep(message) ? undefined : 'queue_full';
  }

  #deliver(message: ReceivedMessage): void {
    for (const full of this.#subscriptions.deliver(message)) this.#tell('overflow', full);
  }

  #tell<E extends keyof ClientEvents>(event: E, ...args: ClientEvents[E]): void {
    isolated(() => this.#events.emit(event as never, ...(args as never)));
  }

  #refused({ reason }: Refuse, session: boolean): void {
    const error = refusalError(session ? `"${this.identity}"` : 'a message of QoS 0', reason);
    if (session && this.#opening) this.#opening.reject(error);
    else this.#tell('refused', error);
  }

  async #close(): Promise<void> {
    this.#reconnector.stop();
    if (this.connected && this.#session.engine.pending > 0) {
      await new Promise<void>((resolve) => {
        const giveUp = this.#clock.schedule(CLOSE_GRACE_MS, resolve);
        this.#idle = () => {
          giveUp();
          resolve();
        };
      });
    }
    this.#driver?.flush();
    const goodbye = this.#session.close(this.#options.identity === undefined ? 'end_session' : 'normal');
    for (const audience of this.#subscriptions) this.#subscribed(audience, 'end_session');
    if (goodbye) this.#link?.send(goodbye);
    await this.#link?.close();
  }
}
