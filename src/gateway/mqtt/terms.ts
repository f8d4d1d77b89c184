import type { Connack, Connect } from '../../mqtt/wire/packets.js';
import { REASON } from '../../mqtt/wire/reason-codes.js';
import type { MqttSession } from './mqtt-session.js';

export interface TermsLimits {
  /** The largest packet that is taken, bytes. */
  readonly maxPacket: number;
  /** PUBLISH of QoS 1 and 2 that a client may have unacknowledged. */
  readonly receiveMaximum: number;
  /** The longest that a session outlives its connection, ms. */
  readonly expiryMs: number;
  /** The longest keep-alive that a client of MQTT 5 may ask for, ms; 0 for any. */
  readonly keepAliveMs: number;
}

/** Topic aliases that a client may use on a connection: enough for what one device publishes on. */
export const TOPIC_ALIAS_MAXIMUM = 64;
/** A session expiry of MQTT 5 that means for ever, s (3.1.2.11.2). */
const FOR_EVER_S = 0xffff_ffff;

/** What a client is granted of what it asks for in its CONNECT. */
export class Terms {
  readonly #limits: TermsLimits;

  constructor(limits: TermsLimits) {
    this.#limits = limits;
  }

  /** In s; 0 for none. Of those that speak an older version it is what they say: they cannot be told another one. */
  keepAliveOf({ level, keepAlive }: Connect): number {
    const longest = Math.floor(this.#limits.keepAliveMs / 1000);
    if (level < 5 || longest === 0) return keepAlive;
    return keepAlive === 0 ? longest : Math.min(keepAlive, longest);
  }

  /** How long the session is to outlive its connection, ms: in 3.1.1 as long as the gateway allows, unless it is clean. */
  expiryOf({ level, cleanStart, properties }: Connect): number {
    if (level < 5) return cleanStart ? 0 : this.#limits.expiryMs;
    return this.expiry(properties.sessionExpiry ?? 0);
  }

  /** What a session expiry of MQTT 5, in s, comes to, ms. */
  expiry(seconds: number): number {
    const { expiryMs } = this.#limits;
    return seconds === FOR_EVER_S ? expiryMs : Math.min(seconds * 1000, expiryMs);
  }

  /** The answer to a client that is let in. */
  connack(
    packet: Connect,
    { clientId, expiryMs }: Pick<MqttSession, 'clientId' | 'expiryMs'>,
    sessionPresent: boolean,
  ): Connack {
    const accepted = { type: 'connack', sessionPresent, code: REASON.success } as const;
    if (packet.level < 5) return { ...accepted, properties: {} };
    const { receiveMaximum, maxPacket } = this.#limits;
    const wanted = packet.properties.sessionExpiry ?? 0;
    const granted = expiryMs / 1000;
    const keepAlive = this.keepAliveOf(packet);
    return {
      ...accepted,
      properties: {
        // Only what differs from what was asked for (3.2.2.3.2).
        ...(granted !== wanted && { sessionExpiry: granted }),
        receiveMaximum: Math.min(receiveMaximum, 0xffff),
        maximumPacketSize: maxPacket,
        topicAliasMaximum: TOPIC_ALIAS_MAXIMUM,
        ...(packet.clientId === '' && { assignedClientId: clientId }),
        // [MQTT-3.2.2-21]
        ...(keepAlive !== packet.keepAlive && { serverKeepAlive: keepAlive }),
      },
    };
  }
}
