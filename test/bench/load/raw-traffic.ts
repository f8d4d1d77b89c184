import { Connection } from './connection.js';
import type { Part } from './speaker.js';
import { speakerFor } from './speakers.js';
import type { TcpLoad, TcpTarget } from './tcp-load.js';
import { type SendBlock, Traffic } from './traffic.js';

/**
 * Publishers and subscribers that speak the protocol themselves. What is published was encoded beforehand.
 * @throws BenchFailure when the server does not let them in
 */
export async function openTraffic(load: TcpLoad, target: TcpTarget): Promise<Traffic> {
  const traffic = new Traffic(load);
  await openSubscribers(load, target, traffic);
  await openPublishers(load, target, traffic);
  return traffic;
}

export async function openSubscribers(load: TcpLoad, target: TcpTarget, traffic: Traffic): Promise<void> {
  for (const [number, tally] of traffic.tallies.entries())
    await openEnd(load, target, { kind: 'subscriber', number, tally }, traffic.fail);
}

export async function openPublishers(load: TcpLoad, target: TcpTarget, traffic: Traffic): Promise<void> {
  for (let number = 0; number < load.publishers; number++) {
    let send: SendBlock | undefined;
    const acknowledged = traffic.addPublisher((place) => send?.(place));
    send = await openEnd(load, target, { kind: 'publisher', number, acknowledged }, traffic.fail);
  }
}

/**
 * One connection. Returns what sends a block over it.
 * @throws BenchFailure when the server does not let it in; what goes wrong later is told to `fail`
 */
export async function openEnd(
  load: TcpLoad,
  { port, blind }: TcpTarget,
  part: Part,
  fail: (error: Error) => void,
): Promise<SendBlock> {
  const connection = await Connection.open(port, fail);
  const speaker = speakerFor(connection, load, part);
  connection.reader = (bytes, view, to) => speaker.read(bytes, view, to);
  // Such a server is only told whom it has before it.
  if (blind) connection.write(Buffer.from(part.kind === 'subscriber' ? 'S' : [part.number]));
  else await speaker.greet();
  if (part.kind === 'subscriber') return () => {};
  const blocks = speaker.blocks((payloads, first) => speaker.encode(payloads, first));
  return (place) => connection.write(blocks[place] as Buffer);
}
