import { SlipwayError } from '../errors.js';

/** What a REFUSE of the packet would say: `unsupported` is §10's, `version` §4.6's. */
export type MalformedReason = 'malformed' | 'unsupported' | 'version';

/** A packet that cannot be understood. Nothing in it is to be acted on (PROTOCOL.md §2). */
export class MalformedPacket extends SlipwayError {
  readonly reason: MalformedReason;
  /** The head byte of the message at fault, as it stands in the packet; 0 in an empty packet. */
  readonly head: number;
  /** The index of the byte in the packet at which the fault was found. */
  readonly at: number;

  constructor(reason: MalformedReason, head: number, at: number, problem: string) {
    super('malformed', `packet cannot be decoded: byte ${at}: ${problem}`);
    this.name = 'MalformedPacket';
    this.reason = reason;
    this.head = head;
    this.at = at;
  }
}
