import { randomInt } from 'node:crypto';
import type { Clock } from '../clock.js';
import { Counters } from '../counters.js';
import type { Link, LinkEvents } from '../links/link.js';
import { Alarms } from '../session/alarms.js';
import { Driver } from '../session/driver.js';
import type { SessionEngine } from '../session/engine.js';
import type { Channel } from '../session/outgoing.js';
import { type Credentials, PeerSession, type PeerSessionOwner } from '../session/peer-session.js';
import { DEFAULT_KEEP_ALIVE_S, DEFAULT_MAX_PACKET_BYTES, DEFAULT_WINDOW } from '../wire/limits.js';
import { type ConnectOptions, DEFAULT_MAX_QUEUE } from './options.js';

const MAX_QUEUE_BYTES = 64 * 1_048_576;
const MAX_BACKLOG_BYTES = 16 * 1_048_576;
/** With so many bytes of QoS 0 waiting, whoever awaits an emit waits until they are sent. */
const PLENTY_BYTES = 262_144;
const MAX_IDS = 16_383;

/** For all that need not wait: a promise for each message would take longer than its message. */
const DONE = Promise.resolve();

/** A program's session, with its clock and, while there is one, its connection. */
export class LiveSession {
  readonly #peer: PeerSession<Channel>;
  readonly #clock: Clock;
  readonly #alarms: Alarms;
  #link: Link | undefined;
  #driver: Driver | undefined;
  /** Ends the wait of `settled`: nothing is unacknowledged any more, or nothing more will be. */
  #idle: (() => void) | undefined;
  /** There while more waits to be sent than it should; and what ends that. */
  #relief: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(
    identity: string,
    credentials: Credentials,
    options: ConnectOptions,
    clock: Clock,
    owner: PeerSessionOwner<Channel>,
  ) {
    const { expiry = 60, keepAlive = DEFAULT_KEEP_ALIVE_S, maxQueue = DEFAULT_MAX_QUEUE } = options;
    const window = DEFAULT_WINDOW.tcp;
    this.#clock = clock;
    this.#alarms = new Alarms(clock);
    this.#peer = new PeerSession<Channel>(
      {
        identity,
        nonce: randomInt(2 ** 32),
        clean: options.identity === undefined,
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
        credentials,
      },
      owner,
      new Counters(),
      { messages: maxQueue, bytes: MAX_QUEUE_BYTES },
      Math.random,
    );
  }

  get engine(): SessionEngine<Channel> {
    return this.#peer.engine;
  }

  /** Whether it stands at the moment. */
  get stands(): boolean {
    return this.#peer.state === 'ready';
  }

  /** Bytes that may be sent at QoS 0 now. */
  get room(): number {
    return MAX_BACKLOG_BYTES - this.#backlog;
  }

  /** Resolves when what waits to be sent has left, or is lost with the connection; at once while it is not much. */
  get relief(): Promise<void> {
    if (this.#relief) return this.#relief;
    if (this.engine.pendingBytes.unreliable + this.#backlog < PLENTY_BYTES) return DONE;
    this.#relief = this.#sent().finally(() => {
      this.#relief = undefined;
    });
    return this.#relief;
  }

  get #backlog(): number {
    return this.#link?.backlog() ?? 0;
  }

  async #sent(): Promise<void> {
    // At the end of the turn, and that is before this, the driver hands over what waits.
    await new Promise<void>((resolve) => void this.#clock.yield(resolve));
    if (this.#backlog === 0) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  /** Something waits to be sent. */
  wake(): void {
    this.#driver?.wake();
  }

  /** A connection stands; what is returned hears of it. */
  connected(link: Link): LinkEvents {
    this.#link = link;
    this.#driver = new Driver(this.#peer, this.#alarms, { send: (packet) => link.send(packet) });
    this.#peer.linkUp(link, this.#clock.now());
    this.#driver.wake();
    return {
      packet: (packet) => {
        this.#peer.receive(packet, this.#clock.now());
        this.wake();
        if (this.engine.pending === 0) this.#idle?.();
      },
      drained: () => {
        this.wake();
        this.#drained?.();
      },
      closed: (reason) => {
        this.#driver?.stop();
        this.#driver = undefined;
        this.#link = undefined;
        this.#peer.linkDown(reason);
        this.#idle?.();
        this.#drained?.();
      },
    };
  }

  /** Waits until nothing is unacknowledged any more, `graceMs` at most, and no longer than the session stands. */
  async settled(graceMs: number): Promise<void> {
    if (!this.stands || this.engine.pending === 0) return;
    await new Promise<void>((resolve) => {
      const giveUp = this.#clock.schedule(graceMs, resolve);
      this.#idle = () => {
        giveUp();
        resolve();
      };
    });
  }

  /** Ends the session; what is unacknowledged is settled. Returns the goodbye, for `hangUp`. */
  end(reason: 'normal' | 'end_session'): Uint8Array | undefined {
    this.#driver?.flush();
    return this.#peer.close(reason);
  }

  /** Sends the goodbye, if there is one, and closes the connection. */
  async hangUp(goodbye: Uint8Array | undefined): Promise<void> {
    if (goodbye) this.#link?.send(goodbye);
    await this.#link?.close();
  }
}
