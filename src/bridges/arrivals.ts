import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import { hasExpired, type MessageExtras } from '../router/message.js';
import type { Router } from '../router/router.js';
import { lowerQos, type Subscriber } from '../router/subscriber.js';
import type { Qos } from '../wire/messages.js';
import type { ReasonName } from '../wire/reasons.js';
import type { BridgeCounts } from './counts.js';
import { isGatewayName } from './gateway-names.js';
import type { InRule } from './interests.js';
import type { IncomingMessage } from './upstream.js';

export interface ArrivalsContext {
  readonly bridge: string;
  readonly gateway: string;
  /** In the order of the config: the first that matches decides. */
  readonly rules: readonly InRule[];
  readonly router: Router;
  /** Takes what is not for the rules but for a feature of the bridge; returns whether it was. */
  readonly feature: (message: IncomingMessage) => boolean;
  /** Hears of what has passed this gateway before, or another one of its name. */
  readonly echo: (message: IncomingMessage) => void;
  /** Whether that channel has a last value that upstream does not have yet. */
  readonly isNewerHere: (channel: string) => boolean;
  /** In whose name it is emitted: it does not get that back. */
  readonly emitter: Subscriber;
  readonly clock: Clock;
  readonly counts: BridgeCounts;
  readonly logger: Logger;
}

/** How soon the router is asked again after it had no room, ms. */
const LOOK_AGAIN_MS = 50;
/** After so long, ms, it is said that a bridge waits. */
const PATIENCE_MS = 10_000;

/** A message has come round who knows where when it has passed more gateways than this. */
const MAX_GATEWAYS = 64;
/** The longest that a message may live, ms: what MQTT can say (MQTT 5, 3.3.2.3.3). */
const MAX_EXPIRY_MS = (2 ** 32 - 1) * 1000;

/** A message that the router had no room for. */
interface Waiting {
  readonly since: number;
  readonly reason: ReasonName;
  said: boolean;
}

/** Where a message is emitted, and at which QoS. */
interface Local {
  readonly channel: string;
  readonly qos: Qos;
}

/** What comes into this gateway by one bridge: emitted by the router, which answers for it from then on. */
export class Arrivals {
  readonly #context: ArrivalsContext;
  #waiting: Waiting | undefined;
  #again: Cancel | undefined;

  constructor(context: ArrivalsContext) {
    this.#context = context;
  }

  /** Why the router takes nothing at present, if so: `queue_full`, `not_stored`. */
  get waitsFor(): ReasonName | undefined {
    return this.#waiting?.reason;
  }

  /** See `UpstreamEvents.incoming`. */
  take(given: IncomingMessage, next: () => void): void {
    const { gateway, counts, clock } = this.#context;
    const message = within(given);
    if (message.via.includes(gateway)) {
      counts.add('loop');
      this.#context.echo(message);
      return next();
    }
    if (message.via.length > MAX_GATEWAYS) {
      counts.drop('too_far');
      return next();
    }
    if (this.#context.feature(message)) return next();
    const local = this.#localOf(message);
    if (local === undefined) {
      // Patterns that were joined ask for more than the rules do.
      counts.add('unwanted');
      return next();
    }
    if (message.stored && this.#isKnown(local.channel, message)) return next();
    if (message.stored && this.#context.isNewerHere(local.channel)) {
      counts.add('outdated');
      return next();
    }
    this.#emit(local, message, clock.now(), next);
  }

  /** The connection is lost: upstream gives again what was not taken. */
  forget(): void {
    this.#again?.();
    this.#again = undefined;
    this.#waiting = undefined;
  }

  #emit(local: Local, message: IncomingMessage, since: number, next: () => void): void {
    const { router, emitter, counts, clock } = this.#context;
    const { channel, qos } = local;
    const { payload, retain } = message;
    const extras = this.#extrasOf(message, since);
    if (extras.expiresAt !== undefined && hasExpired(extras, clock.now())) {
      this.#passed(qos);
      counts.drop('expired');
      return next();
    }
    const options = { qos, retain, extras };
    let refusal = router.emit(channel, payload, options, emitter);
    if (refusal === 'limit_reached' && retain) {
      // It cannot be kept: whoever is subscribed is to hear of it all the same.
      counts.drop('last_value');
      refusal = router.emit(channel, payload, { ...options, retain: false }, emitter);
    }
    const full = refusal === 'queue_full' || refusal === 'not_stored';
    if (full && qos > 0) return this.#wait(local, message, since, refusal as ReasonName, next);
    this.#passed(qos);
    // The others got it.
    if (refusal === undefined || refusal === 'too_large_for_receiver') counts.in.add();
    else counts.drop(refusal);
    next();
  }

  #passed(qos: Qos): void {
    // What goes at once has not waited.
    if (qos > 0) this.#waiting = undefined;
  }

  /** Nothing else comes until there is room: so everything keeps its order, and upstream keeps what it has. */
  #wait(local: Local, message: IncomingMessage, since: number, reason: ReasonName, next: () => void): void {
    const { clock, logger, bridge } = this.#context;
    const waiting = this.#waiting ?? { since, reason, said: false };
    this.#waiting = waiting;
    if (!waiting.said && clock.now() - waiting.since >= PATIENCE_MS) {
      waiting.said = true;
      logger.warn(
        { bridge, channel: local.channel, reason },
        `bridge ${bridge}: what comes in waits since ${Math.round((clock.now() - waiting.since) / 1000)} s, "${local.channel}" finds no room here: ${reason} (limits.queue); upstream keeps it meanwhile`,
      );
    }
    this.#again = clock.schedule(LOOK_AGAIN_MS, () => this.#emit(local, message, since, next));
  }

  #extrasOf({ properties, expiryMs, via }: IncomingMessage, since: number): MessageExtras {
    const expiresAt = expiryMs === undefined ? undefined : since + expiryMs;
    return { properties, expiresAt, origin: { bridge: this.#context.bridge, via } };
  }

  #isKnown(channel: string, { payload }: IncomingMessage): boolean {
    const known = this.#context.router.lastValue(channel);
    if (known === undefined) return payload.length === 0;
    return Buffer.compare(known.payload, payload) === 0;
  }

  #localOf({ name, qos }: IncomingMessage): Local | undefined {
    for (const rule of this.#context.rules) {
      const channel = rule.name.toLocal(name);
      if (channel !== undefined) return { channel, qos: lowerQos(qos, rule.qos) };
    }
    return undefined;
  }
}

/** Anybody may have written it: names that no gateway can have are left out, for they would be passed on as they are. */
function within(message: IncomingMessage): IncomingMessage {
  const { via, expiryMs = 0 } = message;
  if (expiryMs <= MAX_EXPIRY_MS && via.every(isGatewayName)) return message;
  return {
    ...message,
    via: via.filter(isGatewayName),
    ...(message.expiryMs !== undefined && { expiryMs: Math.min(expiryMs, MAX_EXPIRY_MS) }),
  };
}
