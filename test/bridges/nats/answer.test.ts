import type { Msg } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { readAnswer } from '../../../src/bridges/nats/answer.js';

function answerTo(text: string): string {
  const answer = readAnswer({ data: new Uint8Array(Buffer.from(text)) } as unknown as Msg);
  return answer.kind === 'refused' ? `refused: ${answer.reason}` : answer.kind;
}

const error = (code: number, number: number) =>
  JSON.stringify({ error: { code, err_code: number, description: 'why' }, stream: 'S', seq: 0 });

it.each([
  ['{"stream":"S", "seq":3}', 'taken'],
  ['{"stream":"S","seq":3,"duplicate": true}', 'taken'],
  ['', 'nobody'],
  // The store failed; no room in the account; an earlier attempt with the same id is still being taken in.
  [error(503, 10_077), 'not_now'],
  [error(400, 10_002), 'not_now'],
  [error(409, 10_158), 'not_now'],
  ['what is that', 'not_now'],
  // Too large; headers too large.
  [error(400, 10_054), 'refused: too_large'],
  [error(400, 10_097), 'refused: upstream_refused'],
])('JetStream answers %s: %s', (text, outcome) => {
  expect(answerTo(text)).toBe(outcome);
});
