import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encode } from '../../../src/mqtt/wire/encode.js';
import { PacketParser } from '../../../src/mqtt/wire/packet-parser.js';
import type { ClientPacket } from '../../../src/mqtt/wire/packets.js';
import { REASON } from '../../../src/mqtt/wire/reason-codes.js';
import { until } from '../../support/gateways.js';
import { queued, Rig } from './rig.js';

/** A broker that accepts who connects, and then does that with each packet. */
async function brokerThat(does: (socket: Socket, packet: ClientPacket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    const parser = new PacketParser({ maxConnect: 1000, maxPacket: 10_000 });
    socket.on('data', (chunk) => {
      parser.push(chunk);
      for (let packet = parser.next(); packet; packet = parser.next()) {
        if (packet.type === 'connect')
          socket.write(encode({ type: 'connack', sessionPresent: false, code: 0, properties: {} }, 5));
        does(socket, packet);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Whether a connection that ended so may have ended for a message of QoS 1 or 2 that it was given. */
async function mayBeForMessage(
  does: (socket: Socket, packet: ClientPacket) => void,
  qos: 1 | 2 = 1,
): Promise<boolean | undefined> {
  const rig = await Rig.connected(await brokerThat(does));
  rig.up.publish(queued(1, 'a', 'x', { qos }));
  await until(() => expect(rig.cutOffs).toHaveLength(1));
  return rig.cutOffs[0];
}

const disconnect = (code: number) => (socket: Socket, packet: ClientPacket) => {
  if (packet.type === 'publish') socket.write(encode({ type: 'disconnect', code, properties: {} }, 5));
};

describe('a connection that a broker of MQTT ended', () => {
  it('may have ended for what it has not answered', async () => {
    expect(await mayBeForMessage((socket, { type }) => type === 'publish' && socket.end())).toBe(true);
    expect(await mayBeForMessage((socket, { type }) => type === 'publish' && socket.resetAndDestroy())).toBe(
      true,
    );
    for (const code of [REASON.packetTooLarge, REASON.notAuthorized, REASON.malformedPacket])
      expect(await mayBeForMessage(disconnect(code))).toBe(true);
  });

  it('did not when it says why', async () => {
    for (const code of [REASON.serverShuttingDown, REASON.sessionTakenOver, REASON.serverBusy])
      expect(await mayBeForMessage(disconnect(code))).toBe(false);
  });

  it('did not when it has taken all that it was given, be it not released', async () => {
    const taking = (socket: Socket, packet: ClientPacket) => {
      if (packet.type === 'publish')
        socket.write(encode({ type: 'pubrec', id: packet.id, code: 0, properties: {} }, 5));
      if (packet.type === 'pubrel') socket.end();
    };
    expect(await mayBeForMessage(taking, 2)).toBe(false);
  });

  it('did not when there was no message', async () => {
    const rig = await Rig.connected(
      await brokerThat((socket, { type }) => type === 'connect' && setTimeout(() => socket.end(), 20)),
    );
    await until(() => expect(rig.cutOffs).toEqual([false]));
  });
});
