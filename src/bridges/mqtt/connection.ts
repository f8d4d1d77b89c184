import type { Clock } from '../../clock.js';
import type { Counters } from '../../counters.js';
import type { Acknowledgement, AnswerProperties } from '../../mqtt/wire/packets.js';
import { readProperties } from '../../mqtt/wire/read-properties.js';
import { Reader } from '../../mqtt/wire/reader.js';
import { TYPE } from '../../mqtt/wire/types.js';
import type {
  Interest,
  OutgoingMessage,
  QueuedMessage,
  UpstreamConnection,
  UpstreamEvents,
} from '../upstream.js';
import { Arrivals } from './arrivals.js';
import { Departures } from './departures.js';
import { limitsOf } from './limits.js';
import type { BrokerLink } from './link.js';
import type { PacketSplitter } from './packet-splitter.js';
import type { Where } from './problems.js';
import { readPublish, readPublishHead } from './read-publish.js';
import { SafeBytes } from './safe-bytes.js';
import type { BrokerSession } from './session.js';
import { Subscriptions } from './subscriptions.js';

/** How long `close` waits for the disk, ms. */
const CLOSE_PATIENCE_MS = 1000;

const ACKNOWLEDGEMENTS: Readonly<Record<number, Acknowledgement['type']>> = {
  [TYPE.puback]: 'puback',
  [TYPE.pubrec]: 'pubrec',
  [TYPE.pubrel]: 'pubrel',
  [TYPE.pubcomp]: 'pubcomp',
};

export interface ConnectionContext {
  readonly where: Where;
  readonly link: BrokerLink;
  readonly session: BrokerSession;
  readonly clock: Clock;
  readonly counters: Counters;
  /** What drops are counted under: `bridges.<name>.drop`. */
  readonly drops: string;
  /** How many messages of QoS 1 and 2 may be unacknowledged. */
  readonly inFlight: number;
  readonly events: UpstreamEvents;
}

/** A session with a broker that goes on, or begins. */
export class MqttConnection implements UpstreamConnection {
  readonly server: string;
  readonly isAnew: boolean;
  readonly window: number;
  readonly #context: ConnectionContext;
  readonly #reader = new Reader();
  readonly #safe: SafeBytes;
  readonly #departures: Departures;
  readonly #arrivals: Arrivals;
  readonly #subscriptions: Subscriptions;

  /** `link` has just been accepted, and the session begun if the broker had none. */
  constructor(context: ConnectionContext) {
    const { where, link, session, clock, events, inFlight } = context;
    const level = where.version === 5 ? 5 : 4;
    const limits = limitsOf(link.connack, level);
    const sendSafely = (bytes: Uint8Array) => this.#safe.send(bytes);
    this.#context = context;
    this.#reader.level = level;
    this.server = where.server;
    this.isAnew = !link.connack.sessionPresent;
    this.window = Math.min(inFlight, limits.receiveMaximum);
    this.#safe = new SafeBytes(
      clock,
      (task) => session.settled(task),
      link,
      () => link.fail('unreachable', 'it does not read what it is answered'),
    );
    this.#departures = new Departures({
      where,
      session,
      limits,
      clock,
      events,
      resent: link.connack.sessionPresent ? inFlight : 0,
      wire: link,
      sendSafely,
      fail: (problem) => link.fail('unreachable', problem),
    });
    this.#arrivals = new Arrivals({
      level,
      session,
      incoming: (message, next) => events.incoming(message, next),
      sendSafely,
      pause: () => link.pause(),
      resume: () => link.resume(),
    });
    this.#subscriptions = new Subscriptions({
      where,
      session,
      client: link.client,
      asked: (pattern) => this.#arrivals.asked(pattern),
      refused: (pattern, why) => events.interestRefused(pattern, why),
    });
    link.start({
      packet: (packet) => this.#packet(packet),
      over: (problem, byBroker) => {
        this.#stop();
        events.lost(problem, byBroker && this.#departures.someUntaken);
      },
    });
  }

  send(message: OutgoingMessage): boolean {
    return this.#departures.send(message);
  }

  publish(message: QueuedMessage, overtakes?: boolean): void {
    this.#departures.publish(message, overtakes);
  }

  setInterests(interests: readonly Interest[]): void {
    this.#subscriptions.set(interests);
  }

  async close(): Promise<void> {
    this.#stop();
    // What the router has taken is acknowledged: the broker would send it again.
    await new Promise<void>((resolve) => {
      const cancel = this.#context.clock.schedule(CLOSE_PATIENCE_MS, resolve);
      this.#safe.flush(() => {
        cancel();
        resolve();
      });
    });
    await this.#context.link.close();
  }

  #stop(): void {
    this.#arrivals.close();
    this.#subscriptions.close();
    this.#departures.close();
  }

  #packet({ head, bytes, at, end, oversize }: PacketSplitter): void {
    const reader = this.#reader;
    reader.start(bytes, at, end);
    const type = ACKNOWLEDGEMENTS[head >> 4];
    if (type !== undefined) this.#acknowledged(type, reader);
    else if (oversize === 0) this.#arrivals.publish(readPublish(reader, head));
    else {
      this.#context.counters.add(`${this.#context.drops}.too_large`);
      this.#arrivals.drop(readPublishHead(reader, head));
    }
  }

  #acknowledged(type: Acknowledgement['type'], reader: Reader): void {
    const id = reader.packetId();
    if (type === 'pubrel') return this.#arrivals.released(id);
    const code = reader.left > 0 ? reader.u8('the reason code') : 0;
    const said =
      code >= 0x80 && reader.left > 0
        ? readProperties<AnswerProperties>(reader, type)?.reasonString
        : undefined;
    this.#departures.acknowledged(type, id, code, said);
  }
}
