import { SlipwayError } from '../../errors.js';
import type { Connack, Disconnect, ProtocolLevel } from './packets.js';
import { nameOfReason, type ReasonCode } from './reason-codes.js';

/** What to send before the connection is closed, and the level to encode it for. */
export interface FaultAnswer {
  readonly packet: Connack | Disconnect;
  readonly level: ProtocolLevel;
}

/** Bytes that no client may send: the connection is closed, for nothing after them can be understood (MQTT 5, 4.13). */
export class MalformedPacket extends SlipwayError {
  /** As in MQTT 5, whatever the level: 0x81 malformed packet, 0x82 protocol error, 0x95 packet too large, … */
  readonly reason: ReasonCode;
  /** The clause that is broken, as "MQTT-3.3.1-4", or the section where it has no number; of MQTT 5 where both say the same. */
  readonly clause: string;
  /** What to tell the client before closing; undefined when nothing may be said, as in 3.1.1 after CONNECT. */
  readonly answer: FaultAnswer | undefined;

  constructor(reason: ReasonCode, clause: string, problem: string, answer?: FaultAnswer) {
    super('malformed', `${nameOfReason(reason)}: ${problem} [${clause}]`);
    this.name = 'MalformedPacket';
    this.reason = reason;
    this.clause = clause;
    this.answer = answer;
  }
}
