import type { Message, Qos } from './messages.js';

/** The bits of a message's first byte (PROTOCOL.md §3). */
export const HEAD = {
  ALWAYS: 0x80,
  LENGTH: 0x40,
  RETAIN: 0x08,
  NAME: 0x04,
  GATEWAY_ID: 0x02,
  FRAGMENT: 0x01,
} as const;

const QOS_SHIFT = 4;
/** What `qosOf` says of a control message. */
export const CONTROL_QOS = 3;
const CONTROL = HEAD.ALWAYS | (CONTROL_QOS << QOS_SHIFT);

/** The control messages in the order of their type numbers (§3.2). */
const CONTROL_TYPES = [
  'hello',
  'welcome',
  'begin',
  'refuse',
  'bye',
  'ping',
  'pong',
  'time',
  'ack',
  'declare',
  'subscribe',
  'unsubscribe',
  'reject',
  'will',
  'sleep',
  'extended',
] as const satisfies readonly Message['type'][];

const HEADS = Object.fromEntries(CONTROL_TYPES.map((type, number) => [type, CONTROL | number])) as Record<
  (typeof CONTROL_TYPES)[number],
  number
>;

/** The head of a message, without L (§3). It is also the `head` of a REFUSE of that message (§7). */
export function headOf(message: Message): number {
  if (message.type !== 'emit') return HEADS[message.type];
  return emitHead(message.qos, message.retain, message.name !== undefined, message.gatewayId === true);
}

/** The head of an emit, without L (§3.1). */
export function emitHead(qos: Qos, retain: boolean, named: boolean, gatewayId: boolean): number {
  return (
    HEAD.ALWAYS |
    (qos << QOS_SHIFT) |
    (retain ? HEAD.RETAIN : 0) |
    (named ? HEAD.NAME : 0) |
    (gatewayId ? HEAD.GATEWAY_ID : 0)
  );
}

/** 0 to 2: an emit of that QoS; 3: a control message. */
export function qosOf(head: number): 0 | 1 | 2 | 3 {
  return ((head >> QOS_SHIFT) & 3) as 0 | 1 | 2 | 3;
}

/** The control message that a head whose `qosOf` is 3 begins. */
export function controlTypeOf(head: number): (typeof CONTROL_TYPES)[number] {
  return CONTROL_TYPES[head & 0x0f] as (typeof CONTROL_TYPES)[number];
}
