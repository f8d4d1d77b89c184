// A program that receives or publishes through a client library. What stands at the other side of the broker, in the same process,
// speaks the protocol itself and costs a small part of what the library does.

import { BenchFailure } from '../row.js';
import { LIBRARIES, type Library, type LibraryName } from './client-libraries.js';
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
  publishWith(client, load, traffic);
  return traffic;
});

function publishWith(client: Library, load: TcpLoad, traffic: Traffic): void {
  const { channel, block, qos } = load;
  const { publish, publishAcknowledged } = client;
  const blocks = payloadsOf(load);
  const payloadsAt = (place: number) => blocks[place] as Buffer[];
  if (qos === 0) {
    let last = Promise.resolve();
    traffic.addPublisher((place) => {
      last = last.then(() => publish(channel, payloadsAt(place))).catch(traffic.fail);
    });
  } else if (publishAcknowledged) {
    const acknowledged = traffic.addPublisher((place) => {
      publishAcknowledged(channel, payloadsAt(place))
        .then(() => acknowledged(block))
        .catch(traffic.fail);
    });
  } else throw new BenchFailure('this library has no QoS 1');
}

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
