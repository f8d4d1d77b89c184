/** How a property's value is written (MQTT 5, 2.2.2.2). A `flag` and a `bit` are a byte of 0 or 1: a boolean or a number here. */
export type PropertyKind = 'flag' | 'bit' | 'u16' | 'u32' | 'varint' | 'text' | 'topic' | 'binary' | 'pair';

/** What has properties: the packets, and the will within a CONNECT. */
export type PropertyHolder =
  | 'connect'
  | 'will'
  | 'connack'
  | 'publish'
  | 'puback'
  | 'pubrec'
  | 'pubrel'
  | 'pubcomp'
  | 'subscribe'
  | 'suback'
  | 'unsubscribe'
  | 'unsuback'
  | 'disconnect';

export interface Property {
  readonly id: number;
  /** Its name in packets.ts. */
  readonly key: string;
  readonly kind: PropertyKind;
  readonly min: number;
  /** May come more than once. */
  readonly many: boolean;
  readonly holders: ReadonlySet<PropertyHolder>;
}

const ANSWERS: readonly PropertyHolder[] = [
  'connack',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'suback',
  'unsuback',
  'disconnect',
];
const EVERYTHING: readonly PropertyHolder[] = [
  ...ANSWERS,
  'connect',
  'will',
  'publish',
  'subscribe',
  'unsubscribe',
];
const MESSAGE: readonly PropertyHolder[] = ['publish', 'will'];

/** Table 2-4 of MQTT 5. */
export const PROPERTIES: readonly Property[] = [
  property(0x01, 'payloadFormat', 'bit', MESSAGE),
  property(0x02, 'messageExpiry', 'u32', MESSAGE),
  property(0x03, 'contentType', 'text', MESSAGE),
  property(0x08, 'responseTopic', 'topic', MESSAGE),
  property(0x09, 'correlationData', 'binary', MESSAGE),
  property(0x0b, 'subscriptionIdentifier', 'varint', ['subscribe'], { min: 1 }),
  property(0x0b, 'subscriptionIdentifiers', 'varint', ['publish'], { min: 1, many: true }),
  property(0x11, 'sessionExpiry', 'u32', ['connect', 'connack', 'disconnect']),
  property(0x12, 'assignedClientId', 'text', ['connack']),
  property(0x13, 'serverKeepAlive', 'u16', ['connack']),
  property(0x15, 'authenticationMethod', 'text', ['connect', 'connack']),
  property(0x16, 'authenticationData', 'binary', ['connect', 'connack']),
  property(0x17, 'requestProblemInformation', 'flag', ['connect']),
  property(0x18, 'willDelay', 'u32', ['will']),
  property(0x19, 'requestResponseInformation', 'flag', ['connect']),
  property(0x1a, 'responseInformation', 'text', ['connack']),
  property(0x1c, 'serverReference', 'text', ['connack', 'disconnect']),
  property(0x1f, 'reasonString', 'text', ANSWERS),
  property(0x21, 'receiveMaximum', 'u16', ['connect', 'connack'], { min: 1 }),
  property(0x22, 'topicAliasMaximum', 'u16', ['connect', 'connack']),
  property(0x23, 'topicAlias', 'u16', ['publish'], { min: 1 }),
  property(0x24, 'maximumQos', 'bit', ['connack']),
  property(0x25, 'retainAvailable', 'flag', ['connack']),
  property(0x26, 'userProperties', 'pair', EVERYTHING, { many: true }),
  property(0x27, 'maximumPacketSize', 'u32', ['connect', 'connack'], { min: 1 }),
  property(0x28, 'wildcardSubscriptionAvailable', 'flag', ['connack']),
  property(0x29, 'subscriptionIdentifiersAvailable', 'flag', ['connack']),
  property(0x2a, 'sharedSubscriptionAvailable', 'flag', ['connack']),
];

function property(
  id: number,
  key: string,
  kind: PropertyKind,
  holders: readonly PropertyHolder[],
  { min = 0, many = false } = {},
): Property {
  return { id, key, kind, min, many, holders: new Set(holders) };
}
