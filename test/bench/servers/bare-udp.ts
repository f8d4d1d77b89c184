// The ceilings of programs in Node with a UDP socket or a serial port: they do one thing, and look at nothing else.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { SerialPort } from 'serialport';
import { serve } from '../helper.js';

/** As the gateway's: room for a burst. */
const RECEIVE_BUFFER_BYTES = 4 * 1_048_576;
const WORD = 4;

/** What a receiver has counted; the time is that of the last datagram. */
export interface ReceiverReport {
  readonly received: number;
  /** Datagrams that are not what udp-in.c sends, or not behind the last of their device. */
  readonly wrong: number;
}

async function bound(): Promise<UdpSocket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  return socket;
}

const counts = { received: 0, wrong: 0 };

/** Counts the datagrams of udp-in.c, and looks at their numbers. */
async function receive(): Promise<{ udp: number }> {
  const heard: number[] = [];
  const socket = await bound();
  socket.on('message', (datagram) => {
    counts.received++;
    const device = datagram.readUInt32LE(2);
    const number = datagram.readUInt32LE(2 + WORD);
    if (datagram.length !== 18 || number <= (heard[device] ?? 0)) counts.wrong++;
    heard[device] = number;
  });
  return { udp: socket.address().port };
}

async function echo(): Promise<{ udp: number }> {
  const socket = await bound();
  socket.on('message', (datagram, { address, port }) => socket.send(datagram, port, address));
  return { udp: socket.address().port };
}

/** Whoever connects gets what `write` is given, each piece behind its length, one write a turn. */
async function out(): Promise<{ tcp: number; write: (piece: Buffer) => void }> {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket.setNoDelay(true));
    socket.on('error', () => {});
    socket.on('close', () => connections.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let pieces: Buffer[] = [];
  const flush = (): void => {
    const bytes = Buffer.concat(pieces);
    pieces = [];
    for (const connection of connections) connection.write(bytes);
  };
  return {
    tcp: (server.address() as AddressInfo).port,
    write(piece) {
      if (pieces.length === 0) setImmediate(flush);
      pieces.push(Buffer.of(piece.length), piece);
    },
  };
}

async function relayDatagrams(): Promise<{ udp: number; tcp: number }> {
  const { tcp, write } = await out();
  const socket = await bound();
  socket.on('message', write);
  return { udp: socket.address().port, tcp };
}

/** Reads as the gateway does: through the package, whatever comes. */
async function relayPort(path: string): Promise<{ tcp: number }> {
  const { tcp, write } = await out();
  const port = new SerialPort({ path, baudRate: 115_200 });
  port.on('data', write);
  await once(port, 'open');
  return { tcp };
}

serve({
  receive,
  count: (): ReceiverReport => {
    const report = { ...counts };
    counts.received = 0;
    counts.wrong = 0;
    return report;
  },
  echo,
  relayDatagrams,
  relayPort,
});
