// A program that receives or publishes through a client library. What stands at the other side of the broker, in the same process,
// speaks the protocol itself and costs a small part of what the library does.
import { LIBRARIES, type LibraryName } from './client-libraries.js';
import { type Tally, writePayload } from './payload.js';
import { openPublishers, openSubscribers } from './raw-traffic.js';
import { serveTraffic } from './serve-traffic.js';
import type { TcpLoad, TcpTarget } from './tcp-load.js';
import { Traffic } from './traffic.js';

export interface ClientWork {
  readonly library: LibraryName;
  readonly direction: 'in' | 'out';
  readonly load: TcpLoad;
  readonly target: TcpTarget;
}

serveTraffic(async ({ library, direction, load, target }: ClientWork) => {
  const traffic = new Traffic(load);
  const client = await LIBRARIES[library](target.port);
  if (direction === 'in') {
    await client.subscribe(load.channel, handlerOf(traffic.tallies[0] as Tally, traffic));
    await openPublishers(load, target, traffic);
    return traffic;
  }
  await openSubscribers(load, target, traffic);
  const blocks = payloadsOf(load);
  let last = Promise.resolve();
  traffic.addPublisher((place) => {
    last = last.then(() => client.publish(load.channel, blocks[place] as Buffer[])).catch(traffic.fail);
  });
  return traffic;
});

/** Many payloads lie in one buffer: its view is made once. */
function handlerOf(tally: Tally, traffic: Traffic): (payload: Uint8Array) => void {
  let view: DataView = new DataView(new ArrayBuffer(0));
  return ({ buffer, byteOffset, length }) => {
    if (view.buffer !== buffer) view = new DataView(buffer);
    try {
      tally.take(view, byteOffset, byteOffset + length);
    } catch (error) {
      traffic.fail(error as Error);
    }
  };
}

function payloadsOf({ cycle, block, payloadBytes }: TcpLoad): Buffer[][] {
  return Array.from({ length: cycle }, (_, place) =>
    Array.from({ length: block }, (_, i) => {
      const payload = Buffer.alloc(payloadBytes);
      writePayload(payload, 0, place * block + i);
      return payload;
    }),
  );
}
