import type { Clock } from '../clock.js';
import type { Channel } from '../router/channel.js';
import { hasExpired, type MessageExtras } from '../router/message.js';
import { type DeliveryRefusal, lowerQos, type Run, type Subscriber } from '../router/subscriber.js';
import type { Qos } from '../wire/messages.js';
import type { BridgeCounts } from './counts.js';
import type { NameRule } from './names.js';
import type { BridgeQueue } from './queue.js';
import type { OutgoingMessage, UpstreamConnection } from './upstream.js';

/** What leaves by a bridge: the channels that the pattern matches, at that QoS at most. */
export interface OutRule {
  readonly name: NameRule;
  readonly qos: Qos;
}

/** Where a channel's messages go upstream. */
interface Way {
  readonly name: string;
  readonly qos: Qos;
}

export interface DeparturesContext {
  readonly bridge: string;
  readonly gateway: string;
  /** In the order of the config: the first that matches decides. */
  readonly rules: readonly OutRule[];
  readonly queue: BridgeQueue;
  readonly clock: Clock;
  readonly counts: BridgeCounts;
  /** The connection upstream, while there is one. */
  readonly connection: () => UpstreamConnection | undefined;
}

/**
 * What leaves this gateway by one bridge: a subscriber of the router like any other. What is reliable goes into the queue, and upstream when
 * its turn comes; what is not goes at once or not at all.
 */
export class Departures implements Subscriber {
  readonly #context: DeparturesContext;
  /** Those that are asked for again and again; nothing is kept of channels that nobody holds. */
  readonly #ways = new WeakMap<Channel, Way | null>();
  /** As nearly all messages have it. */
  readonly #viaHere: readonly string[];

  constructor(context: DeparturesContext) {
    this.#context = context;
    this.#viaHere = [context.gateway];
  }

  hasRoom(channel: Channel, payloadLength: number): boolean {
    const way = this.#wayOf(channel);
    return !way || way.qos === 0 || this.#context.queue.hasRoom(payloadLength);
  }

  deliver(
    channel: Channel,
    payload: Uint8Array,
    qos: Qos,
    retained: boolean,
    extras: MessageExtras | undefined,
  ): DeliveryRefusal | undefined {
    const way = this.#wayOf(channel);
    const { bridge, gateway, queue, clock, counts } = this.#context;
    if (extras?.origin?.bridge === bridge) return undefined;
    if (!way) return this.#nameless();
    if (hasExpired(extras, clock.now())) {
      counts.drop('expired');
      return undefined;
    }
    const message = {
      name: way.name,
      payload,
      qos: lowerQos(qos, way.qos),
      retain: retained,
      properties: extras?.properties,
      expiresAt: extras?.expiresAt,
      via: extras?.origin ? [...extras.origin.via, gateway] : this.#viaHere,
    };
    if (message.qos === 0) this.#send(message);
    else queue.push({ ...message, qos: message.qos });
    return undefined;
  }

  takesRun(): boolean {
    return true;
  }

  deliverRun(channel: Channel, run: Run): void {
    const way = this.#wayOf(channel);
    if (!way) {
      this.#context.counts.drop('bad_name', run.count);
      return;
    }
    const { name } = way;
    const common = { name, qos: 0, retain: false, properties: undefined, expiresAt: undefined } as const;
    for (const payload of run) this.#send({ ...common, payload, via: this.#viaHere });
  }

  /** What the rules match cannot be called there what they say: see `NameRule.toRemote`. */
  #nameless(): undefined {
    this.#context.counts.drop('bad_name');
  }

  #send(message: OutgoingMessage): void {
    const { connection, counts } = this.#context;
    const upstream = connection();
    if (upstream === undefined) return counts.drop('offline');
    if (!upstream.send(message)) return counts.drop('backlog');
    counts.out.add();
  }

  #wayOf(channel: Channel): Way | null {
    let way = this.#ways.get(channel);
    if (way !== undefined) return way;
    way = null;
    for (const { name: rule, qos } of this.#context.rules) {
      const name = rule.toRemote(channel.name);
      if (name === undefined) continue;
      way = { name, qos };
      break;
    }
    this.#ways.set(channel, way);
    return way;
  }
}
