import type { RefusalReason } from '../../access/principal.js';
import type { Connect, ProtocolLevel } from '../../mqtt/wire/packets.js';
import { REASON, RETURN_CODE } from '../../mqtt/wire/reason-codes.js';
import type { Reason } from '../../wire/reasons.js';
import { NO_WILL, type StandingWill } from '../wills.js';

/** Why a client cannot connect. */
export type ConnectRefusal =
  | RefusalReason
  | 'bad_method'
  | 'bad_will'
  | 'will_not_allowed'
  | 'identity_in_use'
  | 'limit_reached'
  | 'not_stored';

/** What CONNACK says of each: the reason code of MQTT 5 (3.2.2.2), and the return code of 3.1.1 (3.2.2.3). */
const CODES: Readonly<Record<ConnectRefusal, readonly [reasonCode: number, returnCode: number]>> = {
  bad_credentials: [REASON.badUserNameOrPassword, RETURN_CODE.badUserNameOrPassword],
  not_allowed: [REASON.notAuthorized, RETURN_CODE.notAuthorized],
  too_many_attempts: [REASON.connectionRateExceeded, RETURN_CODE.serverUnavailable],
  bad_method: [REASON.badAuthenticationMethod, RETURN_CODE.notAuthorized],
  bad_will: [REASON.topicNameInvalid, RETURN_CODE.notAuthorized],
  will_not_allowed: [REASON.notAuthorized, RETURN_CODE.notAuthorized],
  identity_in_use: [REASON.notAuthorized, RETURN_CODE.notAuthorized],
  limit_reached: [REASON.quotaExceeded, RETURN_CODE.serverUnavailable],
  not_stored: [REASON.serverUnavailable, RETURN_CODE.serverUnavailable],
};

/** The code of the CONNACK that says so. */
export function refusalCode(refusal: ConnectRefusal, level: ProtocolLevel): number {
  return CODES[refusal][level === 5 ? 0 : 1];
}

/** Why a will cannot be left (`Wills.set`). */
export function refusedWill(reason: Reason): ConnectRefusal {
  if (reason === 'not_allowed') return 'will_not_allowed';
  return reason === 'bad_channel' ? 'bad_will' : 'limit_reached';
}

/** What the client wants emitted when it is lost; `NO_WILL` if nothing. */
export function willOf(will: Connect['will']): StandingWill {
  if (will === undefined) return NO_WILL;
  const { topic, payload, qos, retain, properties } = will;
  const { willDelay: _, messageExpiry, ...rest } = properties;
  return {
    name: topic,
    payload,
    qos,
    retain,
    ...(messageExpiry !== undefined && { expiryMs: messageExpiry * 1000 }),
    ...(Object.keys(rest).length > 0 && { properties: rest }),
  };
}
