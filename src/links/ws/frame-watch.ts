import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { StallWatch } from '../stream/stall-watch.js';

/**
 * Tells once of a peer that takes longer than `ms` to finish a message that it began. One of which nothing came but in the same
 * read as the end of another is not seen: it holds no more than a read does.
 */
export function watchFrames(ws: WebSocket, socket: Socket, ms: number, stalled: () => void): void {
  /** Whether something ended in what was read last. */
  let ended = false;
  let begunAt: number | undefined;
  const watch = new StallWatch(ms, () => begunAt, stalled);
  const end = (): void => {
    ended = true;
  };
  for (const event of ['message', 'ping', 'pong']) ws.on(event, end);
  // After ws has read it, which was there first.
  socket.on('data', () => {
    if (ended) {
      begunAt = undefined;
    } else if (begunAt === undefined) {
      begunAt = performance.now();
      watch.start();
    }
    ended = false;
  });
  ws.on('close', () => watch.stop());
}
