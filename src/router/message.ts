/**
 * What travels with a message besides its payload, and is passed on unaltered (MQTT 5: [MQTT-3.3.2-4], -15, -16, -17, -20). Never changes
 * once emitted.
 */
export interface MessageProperties {
  readonly payloadFormat?: 0 | 1;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  /** In order; a name may come more than once. */
  readonly userProperties?: readonly (readonly [name: string, value: string])[];
}

/** What few messages have: an emit without it pays nothing for it. Never changes once emitted. */
export interface MessageExtras {
  readonly properties?: MessageProperties | undefined;
  /** From when on the message must not be sent to anybody any more, on the clock (`Clock.now`) in ms. */
  readonly expiresAt?: number | undefined;
  /** How it came from other gateways, if it did: what keeps it from going back there. No peer is told of it. */
  readonly origin?: MessageOrigin | undefined;
}

/** The way of a message that came over a bridge. */
export interface MessageOrigin {
  /** The bridge by which it came here. */
  readonly bridge: string;
  /** The names of the gateways that it passed before this one, the first one first. */
  readonly via: readonly string[];
}

/** Whether the message must not be sent any more at `now`, on the clock in ms. */
export function hasExpired(extras: MessageExtras | undefined, now: number): boolean {
  return extras?.expiresAt !== undefined && now >= extras.expiresAt;
}

/** What an origin takes besides its text, bytes: it, and its list. */
const ORIGIN_BYTES = 64;

/** What a user property takes besides its text, bytes: a pair, and two strings. */
const PROPERTY_BYTES = 128;

/** What the extras take where they are kept, bytes: whoever bounds memory adds it to the payload's. */
export function extrasBytes(extras: MessageExtras | undefined): number {
  if (extras === undefined) return 0;
  return propertiesBytes(extras.properties) + originBytes(extras.origin);
}

function originBytes(origin: MessageOrigin | undefined): number {
  if (origin === undefined) return 0;
  return origin.via.reduce((bytes, gateway) => bytes + gateway.length, ORIGIN_BYTES + origin.bridge.length);
}

function propertiesBytes(properties: MessageProperties | undefined): number {
  if (properties === undefined) return 0;
  const { contentType = '', responseTopic = '', correlationData, userProperties = [] } = properties;
  let bytes = Buffer.byteLength(contentType) + Buffer.byteLength(responseTopic);
  bytes += correlationData?.length ?? 0;
  for (const [name, value] of userProperties)
    bytes += PROPERTY_BYTES + Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}
