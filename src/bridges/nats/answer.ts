import type { Msg } from '@nats-io/transport-node';
import { z } from 'zod';
import type { RefusalReason } from '../upstream.js';

/** What JetStream says to a message. */
export type Answer =
  | { readonly kind: 'taken'; readonly duplicate: boolean }
  /** It will never take it. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly why: string }
  /** It may take it later: there is no leader, or no room. */
  | { readonly kind: 'not_now'; readonly why: string }
  /** There is no stream for it, or none that has a leader. */
  | { readonly kind: 'nobody'; readonly why: string };

const TAKEN: Answer = { kind: 'taken', duplicate: false };
const KNOWN: Answer = { kind: 'taken', duplicate: true };

const NOBODY: Answer = { kind: 'nobody', why: 'the stream is not there, or has no leader' };

/** Both begin so as the server writes them: whether it is an error need not be looked for in every acknowledgement. */
const ACKNOWLEDGEMENT = '{"stream":';
const DUPLICATE = /"duplicate": ?true/;
const TOO_LARGE = 10_054;
/** The account has no room; or newer servers are still taking in what was sent before with that id. */
const PASSING: ReadonlySet<number> = new Set([10_002, 10_158]);

/** Anybody may answer: who does not say it so is not JetStream. */
const refusal = z.object({
  error: z.object({ code: z.number(), err_code: z.number().optional(), description: z.string() }),
});

export function readAnswer(message: Msg): Answer {
  const { data } = message;
  if (data.length === 0) return NOBODY;
  const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString('latin1');
  if (text.startsWith(ACKNOWLEDGEMENT)) return DUPLICATE.test(text) ? KNOWN : TAKEN;
  const error = refusal.safeParse(parse(data)).data?.error;
  if (error === undefined) return { kind: 'not_now', why: 'somebody else than JetStream answers' };
  const { code, err_code: number, description } = error;
  // As in HTTP: below 500 the message is at fault, but for these.
  if (code >= 500 || (number !== undefined && PASSING.has(number)))
    return { kind: 'not_now', why: description };
  return {
    kind: 'refused',
    reason: number === TOO_LARGE ? 'too_large' : 'upstream_refused',
    why: description,
  };
}

/** Undefined if it is no JSON. */
function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString());
  } catch {
    return undefined;
  }
}
