import type { Socket } from 'node:net';
import { endpointName, plainHost } from '../endpoint.js';
import type { PeerSecurity } from '../link.js';
import { partyOf } from '../party.js';
import type { StreamPeer } from './stream-connection.js';

/** After so long in silence the system asks whether the other end is still there. */
const KEEP_ALIVE_PROBE_MS = 30_000;

/** The peer at the other end of a TCP connection. */
export function peerOf(kind: StreamPeer['kind'], socket: Socket, secure?: PeerSecurity): StreamPeer {
  const { remoteAddress = 'unknown', remotePort = 0 } = socket;
  return {
    kind,
    name: endpointName(kind, remoteAddress, remotePort),
    party: partyOf(plainHost(remoteAddress)),
    secure,
  };
}

/** Nothing that is written waits for more, and a peer that went away without a word is noticed in the end. */
export function tune(socket: Socket): void {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
}
