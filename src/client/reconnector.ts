import type { Cancel, Clock } from '../clock.js';
import { Counters } from '../counters.js';
import type { Link, LinkEvents } from '../links/link.js';
import { connectTcp } from '../links/tcp/tcp-connect.js';
import type { TlsOptions } from './options.js';

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;

export interface ReconnectorOptions {
  readonly host: string;
  readonly port: number;
  /** Over TLS, if given. */
  readonly tls?: TlsOptions | undefined;
  /** How long one attempt may take, ms, and then a connection without a session. */
  readonly timeoutMs: number;
  readonly maxPacket: number;
  readonly clock: Clock;
  /** A connection stands; what is returned hears of it. */
  readonly onLink: (link: Link) => LinkEvents;
}

/**
 * Keeps one TCP connection to a gateway: opens it again, with growing pauses, whenever it is lost, or brings no session. A
 * connection can stand for a quarter of an hour though nothing passes any more.
 */
export class Reconnector {
  readonly #options: ReconnectorOptions;
  readonly #counters = new Counters();
  readonly #abort = new AbortController();
  #pause = FIRST_PAUSE_MS;
  #cancel: Cancel | undefined;
  #link: Link | undefined;
  #cancelDoubt: Cancel | undefined;
  /** Closed on this side, since there was no answer. */
  #givenUp: Link | undefined;
  #lostOver: string | undefined;

  constructor(options: ReconnectorOptions) {
    this.#options = options;
  }

  /**
   * Connects once.
   * @throws SlipwayError `connect_failed`
   */
  async connect(): Promise<void> {
    const { onLink } = this.#options;
    const counters = this.#counters;
    await connectTcp({ ...this.#options, counters, signal: this.#abort.signal }, (link) => {
      this.#link = link;
      this.doubted();
      const events = onLink(link);
      return {
        packet: (packet) => events.packet(packet),
        drained: () => events.drained?.(),
        closed: (reason) => {
          this.#cancelDoubt?.();
          this.#link = undefined;
          if (this.#givenUp !== link) this.#lostOver = reason;
          events.closed(reason);
          this.#later();
        },
      };
    });
  }

  /** Why the last connection that the other side ended was lost; undefined if none was. */
  get lostOver(): string | undefined {
    return this.#lostOver;
  }

  /** The session stands: the connection is good, and the next pause a short one again. */
  proved(): void {
    this.#pause = FIRST_PAUSE_MS;
    this.#cancelDoubt?.();
  }

  /** The session does not stand: unless it does in time, the connection makes room for another. */
  doubted(): void {
    this.#cancelDoubt?.();
    const { clock, timeoutMs } = this.#options;
    const link = this.#link;
    if (!link || this.#abort.signal.aborted) return;
    this.#cancelDoubt = clock.schedule(timeoutMs, () => {
      this.#givenUp = link;
      void link.close();
    });
  }

  /** No more connections. */
  stop(): void {
    this.#abort.abort();
    this.#cancel?.();
    this.#cancelDoubt?.();
  }

  #later(): void {
    if (this.#abort.signal.aborted) return;
    const pause = this.#pause * (0.75 + Math.random() / 2);
    this.#pause = Math.min(this.#pause * 2, MAX_PAUSE_MS);
    this.#cancel = this.#options.clock.schedule(pause, () => {
      this.connect().catch(() => this.#later());
    });
  }
}
