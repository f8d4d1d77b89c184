import { PROTOCOL_VERSION } from '../../src/wire/limits.js';
import type { Hello } from '../../src/wire/messages.js';

/** A HELLO (PROTOCOL.md §3.2) of one that is there for the first time and promises nothing, but for what `given` says. */
export function helloOf(identity: string, given: Partial<Hello> = {}): Hello {
  return {
    type: 'hello',
    version: PROTOCOL_VERSION,
    clean: true,
    program: false,
    nonce: Math.floor(Math.random() * 2 ** 32),
    token: 0,
    received: 0,
    keepAlive: 0,
    expiry: 0,
    maxPacket: 1200,
    window: 32,
    inFlight: 32,
    buffer: 0,
    ids: 0,
    identity,
    ...given,
  };
}
