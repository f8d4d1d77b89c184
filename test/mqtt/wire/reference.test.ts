import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encode } from '../../../src/mqtt/wire/encode.js';
import type { ProtocolLevel } from '../../../src/mqtt/wire/packets.js';
import { bytes } from '../bytes.js';
import { clientPacket, serverPacket } from './arbitrary.js';
import { connected, faultOf, fresh, readAll } from './parsing.js';
import { asReference, readByReference, writtenByReference } from './reference.js';

const LEVELS: readonly ProtocolLevel[] = [4, 5];
const RUNS = { numRuns: 500 };

/** `mqtt-packet` is a codec that others wrote from the same standards. */
describe.each(LEVELS)('beside mqtt-packet, at level %i', (level) => {
  it('reads what it writes for a client', () => {
    fc.assert(
      fc.property(clientPacket(level === 5), (packet) => {
        const parser = packet.type === 'connect' ? fresh() : connected(level);
        const sent = writtenByReference(asReference(packet, level), level);
        expect(readAll(parser, sent)).toEqual([packet]);
      }),
      RUNS,
    );
  });

  it('is read by it as a server', () => {
    fc.assert(
      fc.property(serverPacket(level === 5), (packet) => {
        const [read, ...more] = readByReference(encode(packet, level), level);
        expect(more).toEqual([]);
        expect(read).toMatchObject(asReference(packet, level));
      }),
      RUNS,
    );
  });
});

/**
 * Why there is a codec of our own: what clients must not send, and mqtt-packet lets through. [what, packet, reason code].
 * It also tells no reason codes, and where it throws the standard wants one of several.
 */
describe('what mqtt-packet takes and a server must not', () => {
  it.each([
    ['a topic filter that is none [MQTT-4.7.1-1]', '82 ( 0001 ( ) "a/#/b" 00 )', 0x81],
    ['a share without a filter [MQTT-4.8.2-1]', '82 ( 0001 ( ) "$share/g" 00 )', 0x81],
    ['a topic name with a wildcard [MQTT-3.3.2-2]', `30 ( "a/+" ( ) 'x' )`, 0x81],
    ['text that is not UTF-8 [MQTT-1.5.4-1]', `30 ( 0001 ff ( ) 'x' )`, 0x81],
    ['a null character [MQTT-1.5.4-2]', `30 ( 0001 00 ( ) 'x' )`, 0x81],
    ['a packet identifier of 0 [MQTT-2.2.1-3]', `32 ( "a" 0000 ( ) 'x' )`, 0x82],
    ['a duplicate of QoS 0 [MQTT-3.3.1-2]', `38 ( "a" ( ) 'x' )`, 0x81],
    ['a property twice [2.2.2.2]', `30 ( "a" ( 23 0001 23 0002 ) 'x' )`, 0x82],
    ['a property of another packet [2.2.2.2]', `30 ( "a" ( 21 0001 ) 'x' )`, 0x81],
    ['a topic alias of 0 [MQTT-3.3.2-8]', `30 ( "a" ( 23 0000 ) 'x' )`, 0x82],
    ['no topic at all [3.3.2.1]', `30 ( 0000 ( ) 'x' )`, 0x82],
    ['bytes after the end [4.13]', '40 ( 0001 00 00 00 )', 0x81],
  ])('%s', (_what, packet, reason) => {
    expect(readByReference(bytes(packet), 5)).toHaveLength(1);
    expect(faultOf(connected(5), bytes(packet)).reason).toBe(reason);
  });
});
