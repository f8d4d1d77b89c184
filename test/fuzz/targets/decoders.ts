import { MalformedPacket } from '../../../src/wire/decode.js';
import { encodePacket } from '../../../src/wire/encode.js';
import type { Message } from '../../../src/wire/messages.js';
import { Bench } from '../../firmware/bench.js';
import type { CClient } from '../../firmware/c-client.js';
import { missingTool } from '../../support/tools.js';
import { vectors } from '../../wire/vectors.js';
import { must, type Target } from '../target.js';
import { PACKET_WORDS, tryDecode } from './packet.js';

/** What the TypeScript decoder looks at and the C client, for the sake of its size, does not. */
const NOT_LOOKED_AT = /is not UTF-8$|^.*(window|max_packet) is \d+, not/;
const BUFFER = 500;

/** A board in a session, subscribed to everything, expecting the number 1. */
function board(): CClient {
  const bench = new Bench({ buffer: BUFFER });
  bench.client.subscribe('#', 2);
  bench.connect({ nextOut: 1 });
  bench.client.received.length = 0;
  return bench.client;
}

/** What a board takes of these messages: payload, quality, whether a last value. */
function taken(messages: readonly Message[]): string[] {
  const emits: string[] = [];
  let expected = 1;
  for (const message of messages) {
    // The session is gone, and what follows is of no session.
    if (
      message.type === 'bye' ||
      (message.type === 'refuse' && message.reason === 'no_session' && message.head !== 0xb0)
    )
      break;
    const seq = 'seq' in message ? message.seq : undefined;
    if (seq !== undefined && seq !== expected) continue;
    if (seq !== undefined) expected++;
    if (message.type !== 'emit') continue;
    const payload = Buffer.from(message.payload).toString('hex');
    emits.push(`${payload} ${message.qos} ${message.retain} ${message.name ?? ''}`);
  }
  return emits;
}

/** Whatever the bytes: the C client and the TypeScript decoder take the same packets, and the same emits out of them. */
export const decoders: Target = {
  name: 'decoders',
  missing: () => missingTool('clang', 'wasm-ld'),
  maxBytes: BUFFER,
  dictionary: PACKET_WORDS,
  seeds: () =>
    vectors('packets').map(({ hex }) => Uint8Array.from(Buffer.from(hex, 'hex')).subarray(0, BUFFER)),
  run(input) {
    if (input.length === 0) return [];
    const messages = tryDecode(input, 'gateway');
    const client = board();
    client.receive(input);
    const isTaken = client.counter('malformed') === 0;
    if (messages instanceof MalformedPacket) {
      must(
        !isTaken || NOT_LOOKED_AT.test(messages.message),
        `C takes what TypeScript does not: ${messages.message}`,
      );
      return [messages.reason];
    }
    must(isTaken, `TypeScript takes what C does not: ${Buffer.from(encodePacket(messages)).toString('hex')}`);
    const heard = client.received.map(
      // Under an id the board knows no name: it is an id of its own table, or of none.
      ({ payload, qos, retained, channel }) =>
        `${Buffer.from(payload).toString('hex')} ${qos} ${retained} ${channel === '#' ? '' : (channel ?? '')}`,
    );
    const expected = taken(messages);
    must(heard.join() === expected.join(), `both hear the same: ${heard.join()} and ${expected.join()}`);
    return messages.map(({ type }) => type);
  },
};
