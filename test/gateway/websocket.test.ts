import { readFileSync } from 'node:fs';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Address } from '../../src/gateway/gateway.js';
import { CertificateMaker } from '../support/certificates.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { RawWs } from '../support/raw-peers.js';
import { describeWithTools } from '../support/tools.js';

async function mqttClient(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync(url, { reconnectPeriod: 0, ...options });
  onTestFinished(() => client.endAsync(true));
  return client;
}

describe('a gateway on WebSocket', () => {
  it('serves sessions of its own protocol, which go on over another connection', async () => {
    const { gateway, tcp, log, count } = await startGateway({ listen: { ws: { port: 0 } } });
    const [ws] = gateway.addresses.ws as [Address];
    expect(log.map(({ msg }) => msg)).toContain(`listening for WebSocket on 127.0.0.1 port ${ws.port}`);
    const peer = await RawWs.open(ws);
    const { nextIn: seq, nextOut, token } = await peer.introduce('page', { maxPacket: 100_000 });
    const options = { qos: 1, noLocal: false, noLastValue: false, id: 0 } as const;
    peer.send({ type: 'subscribe', seq, ...options, pattern: 'x' });
    await until(() => expect(peer.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
    const client = await connectTo(tcp);
    await client.emit('x', 'y'.repeat(50_000));
    await until(() => expect(peer.all('emit').map(({ payload }) => payload.length)).toEqual([50_000]));
    peer.ws.close();
    await until(() => expect(log.some(({ msg }) => msg.startsWith('page is offline'))).toBe(true));
    await client.emit('x', 'later');

    const again = await RawWs.open(ws);
    const welcome = await again.introduce('page', {
      token,
      received: nextOut,
      maxPacket: 100_000,
    });
    expect(welcome).toMatchObject({ resumed: true, continues: true });
    await until(() =>
      expect(again.all('emit').map(({ payload }) => Buffer.from(payload).toString())).toContain('later'),
    );
    expect(count('ws.accepted')).toBe(2);
  });

  it.each([4, 5] as const)('serves MQTT clients of level %d', async (protocolVersion) => {
    const { gateway, tcp } = await startGateway({ listen: { ws: { port: 0 } } });
    const [{ port }] = gateway.addresses.ws as [Address];
    const client = await mqttClient(`ws://127.0.0.1:${port}/mqtt`, { protocolVersion });
    const got: string[] = [];
    client.on('message', (topic, payload) => void got.push(`${topic} ${payload.toString()}`));
    await client.subscribeAsync('greenhouse/#', { qos: 1 });
    const program = await connectTo(tcp);
    await program.emit('greenhouse/3', '21.4');
    await client.publishAsync('greenhouse/4', 'z'.repeat(90_000), { qos: 2 });
    await until(() => expect(got).toEqual(['greenhouse/3 21.4', `greenhouse/4 ${'z'.repeat(90_000)}`]));
  });
});

describeWithTools(['openssl'], 'a certificate', () => {
  it('is the user that it names, by every protocol', async () => {
    const maker = new CertificateMaker();
    onTestFinished(() => maker.remove());
    const authority = maker.authority('ca');
    const tls = { ...maker.server('server', authority), client_ca: authority.cert };
    const entry = { port: 0, tls };
    const { gateway, tcp, log } = await startGateway({
      listen: { tcp: entry, mqtt: entry, ws: entry },
      access: {
        rules: [
          { who: 'user:ada', emit: 'x', subscribe: 'x' },
          { who: 'user:eve', emit: 'y' },
        ],
      },
    });
    const [mqtt] = gateway.addresses.mqtt as [Address];
    const [ws] = gateway.addresses.ws as [Address];
    const files = (name: string) => {
      const { cert, key } = maker.client(name, authority);
      return { ca: readFileSync(authority.cert), cert: readFileSync(cert), key: readFileSync(key) };
    };
    const ada = files('ada');
    const eve = files('eve');
    const v5 = { protocolVersion: 5 } as const;
    const byTls = (options: typeof ada) =>
      mqttClient(`mqtts://127.0.0.1:${mqtt.port}`, { ...options, ...v5 });
    const byWs = (options: typeof ada) =>
      mqttClient(`wss://127.0.0.1:${ws.port}`, { wsOptions: options, ...v5 });

    const got: string[] = [];
    const one = await byTls(ada);
    one.on('message', (_, payload) => void got.push(payload.toString()));
    await one.subscribeAsync('x');
    await (await byWs(ada)).publishAsync('x', 'ws', { qos: 1 });
    await (await connectTo(tcp, { tls: ada })).emit('x', 'tcp');
    await until(() => expect(got).toEqual(['ws', 'tcp']));

    const notAuthorized = { code: 0x87 };
    await expect((await byTls(eve)).publishAsync('x', 'no', { qos: 1 })).rejects.toMatchObject(notAuthorized);
    await expect((await byWs(eve)).publishAsync('x', 'no', { qos: 1 })).rejects.toMatchObject(notAuthorized);
    await expect((await connectTo(tcp, { tls: eve })).emit('x', 'no')).rejects.toMatchObject({
      code: 'not_allowed',
    });
    expect(got).toHaveLength(2);
    expect(log.map(({ msg }) => msg)).toContain(
      `listening for MQTT on 127.0.0.1 port ${mqtt.port}, with TLS`,
    );
  });
});
