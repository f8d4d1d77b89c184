import { MAX_VARINT } from '../../../src/wire/limits.js';
import type { Emit, Hello, Message, Qos } from '../../../src/wire/messages.js';
import { reasonOfCode } from '../../../src/wire/reasons.js';
import type { Choices } from '../choices.js';

/** What a peer knows of its session, from which the numbers that it says are chosen. */
export interface Standing {
  readonly token: number;
  /** The numbers that each side expects next. */
  readonly nextIn: number;
  readonly nextOut: number;
  /** Of others, which it may give itself out to be. */
  readonly names?: readonly string[];
}

const IDENTITIES = [
  'a',
  'b',
  'c',
  'good',
  '',
  'x y',
  '$q',
  'é',
  'x'.repeat(64),
  'x'.repeat(65),
  'a\u001b[2J',
];
const CHANNELS = [
  'a',
  'a/b',
  'good/x',
  '$slipway/broadcast',
  '$slipway/stats',
  'a//b',
  '/',
  'é',
  'x\0y',
  'l'.repeat(255),
];
const PATTERNS = [
  ...CHANNELS,
  '+/b',
  '#',
  'a/+',
  'good/#',
  '+',
  'a/#/b',
  'a+',
  '/'.repeat(255),
  '$slipway/#',
];
const SIZES = [0, 1, 10, 47, 300, 1000, 5000];
const NUMBERS = [0, 1, 2, 3, 48, 200, 16_383, 65_535, MAX_VARINT];

/** Mostly the number itself, else one near to it, else any. */
function near(choices: Choices, number: number): number {
  const how = choices.u8();
  if (how < 128) return number;
  return how < 240 ? (number + (how % 32) - 16) & 0xffff : choices.u16();
}

function payload(choices: Choices): Uint8Array {
  return new Uint8Array(choices.pick(SIZES)).fill(choices.u8());
}

/** Of the hostile ones, and what one on UDP is held to that promises none: a silent link may be kept 1.5 times as long. */
export const LONGEST_KEEP_ALIVE_S = 120;

const qos = (choices: Choices) => choices.below(3) as Qos;
const reason = (choices: Choices) => reasonOfCode(choices.below(24));

/** A HELLO of anyone; `nonce` is one of few, so that boots repeat. */
export function anyHello(choices: Choices, { token, names = [] }: Standing): Hello {
  const flags = choices.u8();
  return {
    ...anyCredentials(choices),
    type: 'hello',
    version: (flags & 0xf0) === 0xf0 ? choices.u8() : 1,
    clean: (flags & 1) !== 0,
    program: (flags & 2) !== 0,
    nonce: choices.pick([1, 2, 0, 0xffff_ffff]),
    token: choices.pick([token, token, 0, 1, 0xffff_ffff]),
    received: choices.u16(),
    keepAlive: choices.pick([0, 1, 15, LONGEST_KEEP_ALIVE_S]),
    expiry: choices.pick([0, 1, 60, MAX_VARINT]),
    maxPacket: choices.pick([1024, 48, 49, 64, 128, MAX_VARINT]),
    window: choices.pick([32, 0, 1, 2, 16_383]),
    inFlight: choices.pick([32, 0, 1, 2, MAX_VARINT]),
    buffer: choices.pick([0, 1, 40, 64, 1000, MAX_VARINT]),
    ids: choices.pick(NUMBERS),
    identity: choices.pick([...IDENTITIES, ...names]),
  };
}

/** Mostly none; a proof is always a wrong one. */
function anyCredentials(choices: Choices): Pick<Hello, 'proof' | 'user' | 'secret'> {
  const how = choices.u8();
  return {
    ...((how & 7) === 1 && { proof: new Uint8Array() }),
    ...((how & 7) === 2 && { proof: new Uint8Array(16).fill(how) }),
    ...((how & 0x70) === 0x10 && { user: 'ada' }),
    ...((how & 0xe0) === 0x20 && { secret: choices.bytes(choices.below(4)) }),
  };
}

function anyEmit(choices: Choices, { nextIn }: Standing): Emit {
  const level = qos(choices);
  const numbered = level > 0 ? { seq: near(choices, nextIn) } : {};
  const retain = choices.below(4) === 0;
  const address = choices.flag()
    ? { name: choices.pick(CHANNELS) }
    : { id: choices.pick([1, 2, 3, 0, ...NUMBERS]), gatewayId: choices.below(4) === 0 };
  return { type: 'emit', qos: level, retain, ...numbered, ...address, payload: payload(choices) };
}

/** Any message that only a peer may say, or both may. */
export function anyMessage(choices: Choices, standing: Standing): Message {
  const seq = () => near(choices, standing.nextIn);
  switch (choices.below(20)) {
    case 0:
      return anyHello(choices, standing);
    case 1:
      return { type: 'begin', token: choices.pick([standing.token, standing.token, 1]) || 1 };
    case 2:
      return {
        type: 'refuse',
        reason: reason(choices),
        head: choices.u8(),
        detail: choices.bytes(choices.below(8)),
      };
    case 3:
      return { type: 'bye', reason: reason(choices) };
    case 4:
      return { type: choices.flag() ? 'ping' : 'pong', token: choices.u8() };
    case 5:
      return { type: 'time', token: choices.u8() };
    case 6:
    case 7:
    case 8:
      return {
        type: 'ack',
        next: near(choices, standing.nextOut - choices.below(8)) & 0xffff,
        bitmap: choices.bytes(choices.below(6)),
      };
    case 9:
      return { type: 'declare', seq: seq(), id: choices.pick(NUMBERS) || 4, name: choices.pick(CHANNELS) };
    case 10:
    case 11: {
      const pattern = choices.pick(PATTERNS);
      const options = choices.u8();
      return {
        type: 'subscribe',
        seq: seq(),
        qos: (options % 3) as Qos,
        noLocal: (options & 4) !== 0,
        noLastValue: (options & 8) !== 0,
        id: /[+#]/.test(pattern) ? 0 : choices.pick([0, 1, 2, 300]),
        pattern,
      };
    }
    case 12:
      return { type: 'unsubscribe', seq: seq(), pattern: choices.pick(['', ...PATTERNS]) };
    case 13:
      return {
        type: 'reject',
        seq: seq(),
        of: near(choices, standing.nextOut - choices.below(8)) & 0xffff,
        reason: reason(choices),
      };
    case 14: {
      const name = choices.pick(['', ...CHANNELS]);
      const left = name === '' ? new Uint8Array() : payload(choices);
      return { type: 'will', seq: seq(), qos: qos(choices), retain: choices.flag(), name, payload: left };
    }
    case 15:
      return { type: 'sleep', seq: seq(), seconds: choices.pick([0, 1, 60, 3600, MAX_VARINT]) };
    case 16:
      return { type: 'extended', kind: choices.u8(), body: choices.bytes(choices.below(4)) };
    default:
      return anyEmit(choices, standing);
  }
}
