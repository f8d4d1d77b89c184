import { SlipwayError } from '../errors.js';
import type { Reason } from '../wire/reasons.js';

const EXPLANATIONS: Partial<Record<Reason, string>> = {
  normal: 'the client was closed',
  end_session: 'the client was closed',
  version: 'the gateway speaks no version of the protocol that this client speaks',
  identity_in_use: 'another program is connected under this identity: give one of them another',
  identity_invalid: 'the gateway does not accept this identity',
  not_allowed: 'no rule of the gateway allows it, or the channel begins with $ and is its own',
  too_large: 'it is larger than the gateway takes (limits.packet.tcp of its config)',
  too_large_for_receiver: 'at least one subscriber cannot take a message of this size; the others got it',
  bad_channel: 'that is no valid channel or pattern',
  limit_reached: 'the gateway has reached a limit of its configuration',
  queue_full: 'the queue of a subscriber, or of this client, is full: try again later',
  unsupported: 'the gateway does not support it',
  bad_credentials: 'the user name, password, token or key is not right, or one is needed',
  too_many_attempts: 'there were too many attempts with wrong credentials: try again later',
  not_stored: 'the gateway cannot write its store (is its disk full?): try again later',
};

/** The error that a refusal becomes: its code is the reason of PROTOCOL.md §7. `why`: where more is known than that. */
export function refusalError(what: string, reason: Reason, why = EXPLANATIONS[reason]): SlipwayError {
  return new SlipwayError(reason, `${what} was refused: ${why ?? reason}`);
}
