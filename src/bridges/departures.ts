import type { Clock } from '../clock.js';
import type { Channel } from '../router/channel.js';
import { hasExpired, type MessageExtras } from '../router/message.js';
import type { Router } from '../router/router.js';
import { type DeliveryRefusal, lowerQos, type Run, type Subscriber } from '../router/subscriber.js';
import type { Qos } from '../wire/messages.js';
import type { BridgeCounts } from './counts.js';
import type { Post } from './feature.js';
import type { LastValuesUp } from './last-values.js';
import type { NameRule } from './names.js';
import type { BridgeQueue } from './queue.js';
import type { OutgoingMessage, UpstreamConnection } from './upstream.js';

const NOTHING = new Uint8Array();

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
  readonly router: Pick<Router, 'find' | 'lastValue'>;
  /** The connection upstream, while there is one. */
  readonly connection: () => UpstreamConnection | undefined;
  /** What becomes of retained messages of QoS 0, and what is cleared at the others. */
  readonly lastValues: Pick<LastValuesUp, 'sent' | 'missed' | 'cleared'>;
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
    const { bridge, gateway, clock, counts, lastValues } = this.#context;
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
    if (retained && message.qos === 0) {
      const reason = this.#sendKept(message, way.qos);
      // What is kept here goes later: only what it is in the end, not each of them.
      if (reason === undefined) lastValues.sent(channel.name, payload);
      else if (!lastValues.missed(channel.name)) counts.drop(reason);
    } else {
      if (retained && payload.length === 0) lastValues.cleared(channel.name);
      this.#put(message);
    }
    return undefined;
  }

  /** Whether what is emitted on that channel leaves by this bridge. */
  carries(channelName: string): boolean {
    return this.#wayOf(this.#context.router.find(channelName)) !== null;
  }

  /** Whether what is emitted on that channel goes at QoS 0, at once or not at all. */
  goesAtOnce(channelName: string): boolean {
    const { router } = this.#context;
    const way = this.#wayOf(router.find(channelName));
    return way !== null && lowerQos(router.lastValue(channelName)?.qos ?? 0, way.qos) === 0;
  }

  /** Sends the last value of that channel as it is now, or that there is none. */
  sendLastValue(channelName: string): void {
    const { router } = this.#context;
    const { payload = NOTHING, qos = 0, extras } = router.lastValue(channelName) ?? {};
    this.deliver(router.find(channelName), payload, qos, true, extras);
  }

  /** What a feature of the bridge has to say; if it is reliable, the queue was asked for room. */
  post({ properties, expiresAt, via = [], ...post }: Post): void {
    this.#put({ ...post, properties, expiresAt, via: [...via, this.#context.gateway] });
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
    const via = this.#viaHere;
    const { connection, counts } = this.#context;
    const upstream = connection();
    if (upstream === undefined) return counts.drop('offline', run.count);
    if (upstream.sendRun === undefined) {
      for (const payload of run)
        this.#put({ name, payload, qos: 0, retain: false, properties: undefined, expiresAt: undefined, via });
      return;
    }
    const sent = upstream.sendRun(name, via, run);
    if (sent > 0) counts.out.add(sent);
    if (sent < run.count) counts.drop('backlog', run.count - sent);
  }

  /** What the rules match cannot be called there what they say: see `NameRule.toRemote`. */
  #nameless(): undefined {
    this.#context.counts.drop('bad_name');
  }

  #put(message: OutgoingMessage): void {
    const { qos } = message;
    if (qos !== 0) return this.#context.queue.push({ ...message, qos });
    const reason = this.#send(message);
    if (reason !== undefined) this.#context.counts.drop(reason);
  }

  /** As `#send`, but it does not overtake what waits, lest it be replaced upstream by what it replaced. */
  #sendKept(message: OutgoingMessage, highest: Qos): 'offline' | 'backlog' | undefined {
    const { queue, connection } = this.#context;
    if (highest === 0 || queue.length === 0 || connection() === undefined) return this.#send(message);
    if (!queue.hasRoom(message.payload.length)) return 'backlog';
    // The queue keeps it: at QoS 0 it is only there during the call.
    queue.push({ ...message, payload: new Uint8Array(message.payload), qos: 1 });
    return undefined;
  }

  /** Returns why not, if it was not sent. */
  #send(message: OutgoingMessage): 'offline' | 'backlog' | undefined {
    const upstream = this.#context.connection();
    if (upstream === undefined) return 'offline';
    if (!upstream.send(message)) return 'backlog';
    this.#context.counts.out.add();
    return undefined;
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
