import type { PublishProperties } from '../../mqtt/wire/packets.js';
import { encodedProperties } from '../../mqtt/wire/write-properties.js';
import type { MessageProperties } from '../../router/message.js';
import type { IncomingMessage, OutgoingMessage } from '../upstream.js';

/** The user property that says which gateways a message passed, the first one first, with commas between them. */
const VIA = 'slipway-via';
/** The longest that a message may live (MQTT 5, 3.3.2.3.3), s. */
const MAX_EXPIRY_S = 2 ** 32 - 1;

type UserProperties = NonNullable<MessageProperties['userProperties']>;

/** Encodes what a PUBLISH says of a message besides its payload, for MQTT 5. Most say nothing but the gateways that they passed. */
export class PropertyEncoder {
  #via = '';
  /** The properties of a message that has passed `#via`, and of which there is nothing else to say. */
  #bytes: Buffer = Buffer.alloc(0);

  /**
   * Valid until the next call. `now`: the clock, ms.
   * @throws SlipwayError `unencodable` for a value that MQTT has no bytes for
   */
  encode({ properties, via, expiresAt }: OutgoingMessage, now: number): Buffer {
    const names = via.join(',');
    if (properties === undefined && expiresAt === undefined) {
      if (names !== this.#via) {
        this.#bytes = Buffer.from(encodedProperties('publish', { userProperties: [[VIA, names]] }));
        this.#via = names;
      }
      return this.#bytes;
    }
    return encodedProperties('publish', {
      ...properties,
      userProperties: [...(properties?.userProperties ?? []), [VIA, names]],
      ...(expiresAt !== undefined && { messageExpiry: secondsUntil(expiresAt, now) }),
    });
  }
}

/** Rounded up, so that it does not vanish on the way. */
function secondsUntil(time: number, now: number): number {
  return Math.min(MAX_EXPIRY_S, Math.max(1, Math.ceil((time - now) / 1000)));
}

/** What a PUBLISH of MQTT 5 says of a message. What the properties hold is copied. */
export function whatIsSaid(
  properties: PublishProperties | undefined,
): Pick<IncomingMessage, 'properties' | 'via' | 'expiryMs'> {
  if (properties === undefined) return { properties: undefined, via: [], expiryMs: undefined };
  const {
    messageExpiry,
    topicAlias: _,
    subscriptionIdentifiers: __,
    userProperties = [],
    ...others
  } = properties;
  const ours = ([name]: UserProperties[number]): boolean => name === VIA;
  const theirs = userProperties.filter((each) => !ours(each));
  const passedOn: MessageProperties = {
    ...others,
    ...(others.correlationData && { correlationData: Uint8Array.from(others.correlationData) }),
    ...(theirs.length > 0 && { userProperties: theirs }),
  };
  return {
    properties: Object.keys(passedOn).length > 0 ? passedOn : undefined,
    via: userProperties.filter(ours).flatMap(([, names]) => names.split(',').filter((name) => name !== '')),
    expiryMs: messageExpiry === undefined ? undefined : messageExpiry * 1000,
  };
}
