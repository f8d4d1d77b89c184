/** The limits and timers of PROTOCOL.md §9. Sizes are in bytes, times in what the name says. */

/** §4.6 */
export const PROTOCOL_VERSION = 1;
/** §4.2: the option of a HELLO that holds a cookie, and how long that is. */
export const COOKIE_OPTION = 1;
export const COOKIE_BYTES = 4;
/** §4.3: the option of a WELCOME that tells what was taken behind a refused message, and the most that one can hold. */
export const TAKEN_OPTION = 2;
export const MAX_OPTION_BYTES = 255;
/** §4.8: the option of a HELLO that holds the peer's proof of its key, or of a WELCOME that holds the gateway's. */
export const PROOF_OPTION = 3;
export const KEY_BYTES = 32;
export const CHALLENGE_BYTES = 8;
export const PEER_PROOF_BYTES = 16;
export const GATEWAY_PROOF_BYTES = 8;
/** §4.8: the options of a HELLO that hold the name of a user, and a password or token. */
export const USER_OPTION = 4;
export const SECRET_OPTION = 5;
/** §4.6: the lowest and the highest version spoken, as a REFUSE says it. */
export const SPOKEN_VERSIONS: Uint8Array = Uint8Array.of(PROTOCOL_VERSION, PROTOCOL_VERSION);

/** §4.1 */
export const MAX_IDENTITY_BYTES = 64;
/** §6.1, §6.2 */
export const MAX_CHANNEL_BYTES = 255;
/** §1 */
export const MAX_VARINT_BYTES = 4;
/** §1: the greatest value of a varint, and so the greatest id, length and expiry. */
export const MAX_VARINT = 268_435_455;
/** §5.3 */
export const MAX_BITMAP_BYTES = 32;
/** §5.3: how many numbers after `next` + 1 an ACK can speak of. */
export const MAX_BITMAP_NUMBERS = MAX_BITMAP_BYTES * 8;

/** §5.2: no number may be further than this ahead of the oldest unacknowledged one. */
export const MAX_WINDOW = 16_383;
/** §9: what the gateway offers unless configured. */
export const DEFAULT_WINDOW = { serial: 32, udp: 128, tcp: 2048 } as const;

/** §3.2: without options. */
export const LONGEST_WELCOME_BYTES = 35;
/** §3.2: the least that a peer may announce as its largest packet. */
export const MIN_MAX_PACKET_BYTES = 48;
/** §9: what the gateway takes unless configured. */
export const DEFAULT_MAX_PACKET_BYTES = { serial: 1024, udp: 1472, tcp: 1_048_576 } as const;

/** §5.3 */
export const ACK_DELAY_MS = 20;
/** §5.4: before a round trip is known. */
export const FIRST_RESEND_MS = 250;
export const MIN_RESEND_MS = 30;
export const MAX_RESEND_MS = 8000;
/** §9: on a serial line. */
export const MAX_LINE_RESEND_MS = 1000;
/** §5.4: after so many the epoch is ended. */
export const MAX_RESENDS = 10;

/** §4.2: doubling from the first to the longest, each ± the jitter. */
export const HELLO_RESEND_MS = 250;
export const MAX_HELLO_RESEND_MS = 8000;
export const HELLO_JITTER = 0.25;
/** §4.2: unanswered BEGINs before the peer says HELLO again. */
export const MAX_BEGINS = 5;
/** §4.2: REFUSE `no_session` a second on one link. */
export const MAX_REFUSALS_PER_SECOND = 10;
/** §9: how long the gateway remembers an offered epoch. */
export const OFFER_MS = 30_000;
/** §4.4: how long an open link has to answer before a newcomer takes over. */
export const PROBE_MS = 1000;

/** §9: what this client library promises. */
export const DEFAULT_KEEP_ALIVE_S = 30;
/** §4.5: what the gateway holds a peer on UDP to that promised nothing; §4.7: and any such peer after its sleep. */
export const UDP_KEEP_ALIVE_S = 120;
/** §4.5: the gateway lets go of a link after so many keep-alives of silence. */
export const KEEP_ALIVE_GRACE = 1.5;
/** §4.5: unanswered PINGs, this far apart, before the peer goes back to HELLO. */
export const MAX_UNANSWERED_PINGS = 3;
export const PING_INTERVAL_MS = 1000;
/** §4.7: what has no number and comes so soon after a SLEEP over UDP may have been overtaken by it. */
export const SLEEP_OVERTAKEN_MS = 1000;
/** §4.7: how long a peer has to resume its session before its will is emitted. */
export const WILL_DELAY_MS = 5000;
/** §9: one day. */
export const DEFAULT_MAX_EXPIRY_S = 86_400;

/** §8: a longer first message with L could be taken for text, so it must stand alone in its packet. */
export const MAX_SERIAL_FIRST_LENGTH = 127;
/** §8 */
export const MAX_TEXT_LINE_BYTES = 256;
/** §8: a line that stays incomplete for so long is a line. */
export const TEXT_LINE_MS = 250;
