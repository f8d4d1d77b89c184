import type { Message } from './messages.js';

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
const CONTROL_QOS = 3;
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
  return (
    HEAD.ALWAYS |
    (message.qos << QOS_SHIFT) |
    (message.retain ? HEAD.RETAIN : 0) |
    (message.name !== undefined ? HEAD.NAME : 0) |
    (message.gatewayId === true ? HEAD.GATEWAY_ID : 0)
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
