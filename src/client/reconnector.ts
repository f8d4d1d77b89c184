import type { Cancel, Clock } from '../clock.js';
import { Counters } from '../counters.js';
import type { Link, LinkEvents } from '../links/link.js';
import { connectTcp } from '../links/tcp/tcp-connect.js';

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;

export interface ReconnectorOptions {
  readonly host: string;
  readonly port: number;
  /** How long one attempt may take, ms. */
  readonly timeoutMs: number;
  readonly maxPacket: number;
  readonly clock: Clock;
  /** A connection stands; what is returned hears of it. */
  readonly onLink: (link: Link) => LinkEvents;
}

/** Keeps one TCP connection to a gateway: opens it again, with growing pauses, whenever it is lost. */
export class Reconnector {
  readonly #options: ReconnectorOptions;
  readonly #counters = new Counters();
  readonly #abort = new AbortController();
  #pause = FIRST_PAUSE_MS;
  #cancel: Cancel | undefined;

  constructor(options: ReconnectorOptions) {
    this.#options = options;
  }

  /**
   * Connects once.
   * @throws SlipwayError `connect_failed`
   */
  async connect(): Promise<void> {
    const { host, port, timeoutMs, maxPacket, onLink } = this.#options;
    const counters = this.#counters;
    await connectTcp({ host, port, maxPacket, timeoutMs, counters, signal: this.#abort.signal }, (link) => {
      const events = onLink(link);
      return {
        packet: (packet) => events.packet(packet),
        drained: () => events.drained?.(),
        closed: (reason) => {
          events.closed(reason);
          this.#later();
        },
      };
    });
  }

  /** The connection proved good: the next pause is a short one again. */
  proved(): void {
    this.#pause = FIRST_PAUSE_MS;
  }

  /** No more connections. */
  stop(): void {
    this.#abort.abort();
    this.#cancel?.();
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
