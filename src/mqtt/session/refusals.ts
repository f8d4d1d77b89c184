import type { ReasonName } from '../../wire/reasons.js';
import { REASON, type ReasonCode } from '../wire/reason-codes.js';

/** What a refusal is to a client of MQTT 5. */
export interface RefusalAnswer {
  readonly code: ReasonCode;
  /** For people: the reason string. */
  readonly text: string;
}

const QUEUE_FULL = 'the queue of a subscriber is full: try again later';
const LIMIT_REACHED = 'a limit of this server is reached';
const NOT_STORED = 'the store does not keep up: try again later';
const NOT_ALLOWED = 'the rules of this server do not allow it';

/** Why an emit was refused, for PUBACK and PUBREC, which know fewer codes than there are reasons (MQTT 5, 3.4.2.1). */
export function publishRefusal(reason: ReasonName): RefusalAnswer {
  switch (reason) {
    case 'not_allowed':
      return { code: REASON.notAuthorized, text: NOT_ALLOWED };
    case 'bad_channel':
      return { code: REASON.topicNameInvalid, text: 'this is not the name of a channel' };
    case 'queue_full':
      return { code: REASON.quotaExceeded, text: QUEUE_FULL };
    case 'limit_reached':
      return { code: REASON.quotaExceeded, text: LIMIT_REACHED };
    case 'not_stored':
      return { code: REASON.quotaExceeded, text: NOT_STORED };
    default:
      return { code: REASON.unspecifiedError, text: reason };
  }
}

/** Why a subscription was refused, for SUBACK (MQTT 5, 3.9.3). */
export function subscribeRefusal(reason: ReasonName): RefusalAnswer {
  switch (reason) {
    case 'not_allowed':
      return { code: REASON.notAuthorized, text: NOT_ALLOWED };
    case 'bad_channel':
      return { code: REASON.topicFilterInvalid, text: 'this is not a pattern of channels' };
    case 'limit_reached':
      return { code: REASON.quotaExceeded, text: LIMIT_REACHED };
    default:
      return { code: REASON.unspecifiedError, text: reason };
  }
}

/** Refusals that end: a client that cannot be told of them is made to wait. */
export function passes(reason: ReasonName): boolean {
  return reason === 'queue_full' || reason === 'limit_reached' || reason === 'not_stored';
}
