import { readFile, writeFile } from 'node:fs/promises';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Access } from '../../src/access/access.js';
import type { Client } from '../../src/client/client.js';
import type { ConnectOptions } from '../../src/client/options.js';
import { parseConfig } from '../../src/config/load.js';
import { CertificateMaker } from '../support/certificates.js';
import { connectTo, type RunningGateway, startGateway, until } from '../support/gateways.js';
import { hello, Line } from '../support/line.js';
import { policy, usersText } from '../support/policies.js';
import { Simulation } from '../support/simulation.js';
import { describeWithTools } from '../support/tools.js';
import { UdpDevice } from '../support/udp-device.js';
import { usersFile } from '../support/users-file.js';

const USERS = {
  ada: { password: 'correct horse' },
  eve: { password: 'battery staple' },
  ops: { tokens: { test: 'slipway_ops' } },
};

const RULES = [
  { who: 'anyone', subscribe: 'public/#', emit: 'public/news' },
  { who: 'authenticated', emit: 'staff/#', subscribe: 'staff/#' },
  { who: 'user:ada', emit: 'ada/#', subscribe: ['ada/#', '$slipway/devices/+/state'] },
  { who: 'user:*', emit: 'home/%u/#', subscribe: 'home/%u/#' },
  { who: 'device:sensor-*', emit: 'sensors/%d/#', subscribe: 'sensors/%d/set' },
  { who: 'user:ops', emit: '#', subscribe: ['#', '$slipway/#'], broadcast: true },
];

let file: string;
let running: RunningGateway;
/** What a user who may hear everything has heard. */
let everything: string[];
let ops: Client;

const config = (rules: object[] = RULES) => ({
  listen: { tcp: { port: 0 }, udp: { port: 0 }, mqtt: { port: 0 }, ws: { port: 0 } },
  access: { users: { file }, rules },
});

async function reload(rules?: object[]): Promise<void> {
  await running.gateway.reload(parseConfig(JSON.stringify({ version: 1, ...config(rules) }), 'test', {}));
}

beforeEach(async () => {
  file = await usersFile(USERS);
  running = await startGateway(config());
  everything = [];
  ops = await connectTo(running.tcp, { token: 'slipway_ops' });
  await ops.subscribe('#', ({ channel, text }) => void everything.push(`${channel} ${text}`));
});

/** A program that is connected by one of the protocols. */
interface Peer {
  readonly heard: string[];
  /** Whether it was told that it may not; MQTT 3.1.1 cannot tell. */
  emit(channel: string, text: string): Promise<boolean>;
  /** Whether it was told that it may not. */
  subscribe(pattern: string): Promise<boolean>;
  readonly closed: () => boolean;
}

type Who = Pick<ConnectOptions, 'user' | 'password' | 'identity'>;

async function native(who: Who): Promise<Peer> {
  const client = await connectTo(running.tcp, who);
  const heard: string[] = [];
  let closed = false;
  client.on('disconnected', () => {
    closed = true;
  });
  const refused = (attempt: Promise<unknown>) =>
    attempt.then(
      () => false,
      (error) => {
        expect(error).toMatchObject({ code: 'not_allowed' });
        return true;
      },
    );
  return {
    heard,
    emit: (channel, text) =>
      refused(channel === '$slipway/broadcast' ? client.broadcast(text) : client.emit(channel, text)),
    subscribe: (pattern) =>
      refused(client.subscribe(pattern, ({ channel, text }) => void heard.push(`${channel} ${text}`))),
    closed: () => closed,
  };
}

async function connectMqtt(options: IClientOptions, over: 'mqtt' | 'ws' = 'mqtt'): Promise<MqttClient> {
  const { port } = running.gateway.addresses[over][0] ?? expect.unreachable();
  const client = await connectAsync(`${over}://127.0.0.1:${port}`, { reconnectPeriod: 0, ...options });
  onTestFinished(() => client.endAsync(true));
  return client;
}

const NOT_AUTHORIZED = 0x87;

const mqtt =
  (protocolVersion: 4 | 5, over?: 'ws') =>
  async ({ user, password, identity }: Who): Promise<Peer> => {
    const options: IClientOptions = {
      protocolVersion,
      ...(user !== undefined && { username: user }),
      ...(password !== undefined && { password }),
      ...(identity !== undefined && { clientId: identity }),
    };
    const client = await connectMqtt(options, over);
    const heard: string[] = [];
    client.on('message', (topic, payload) => void heard.push(`${topic} ${payload.toString()}`));
    return {
      heard,
      emit: (topic, text) =>
        client.publishAsync(topic, text, { qos: 1 }).then(
          () => false,
          (error) => {
            expect(error).toMatchObject({ code: NOT_AUTHORIZED });
            return true;
          },
        ),
      subscribe: (filter) =>
        client.subscribeAsync(filter, { qos: 1 }).then(
          () => false,
          // The library says no more than that.
          () => true,
        ),
      closed: () => !client.connected,
    };
  };

describe.each([
  { protocol: 'Slipway over TCP', connect: native, tells: true },
  { protocol: 'MQTT 3.1.1', connect: mqtt(4), tells: false },
  { protocol: 'MQTT 5', connect: mqtt(5), tells: true },
  { protocol: 'MQTT 5 over WebSocket', connect: mqtt(5, 'ws'), tells: true },
])('rules on $protocol', ({ connect, tells }) => {
  const ADA = { user: 'ada', password: 'correct horse' };

  it.each<[string, Who, string[], string[]]>([
    [
      'nobody in particular',
      {},
      ['public/news'],
      ['staff/x', 'ada/x', 'public/other', 'home//x', 'sensors//x'],
    ],
    [
      'a user',
      ADA,
      ['ada/x', 'public/news', 'staff/x', 'home/ada/x'],
      ['home/eve/x', 'home/#', 'sensors/ada/x', '$slipway/devices/x/state', '$slipway/broadcast'],
    ],
    ['another user', { user: 'eve', password: 'battery staple' }, ['home/eve/x'], ['ada/x', 'home/ada/x']],
    [
      'a device',
      { identity: 'sensor-1' },
      ['sensors/sensor-1/x'],
      ['sensors/sensor-2/x', 'staff/x', 'home/x'],
    ],
    ['a device that no rule names', { identity: 'other' }, ['public/news'], ['sensors/other/x']],
  ])('are obeyed when %s emits', async (_, who, allowed, refused) => {
    const peer = await connect(who);
    for (const channel of refused) {
      // A pattern is no channel; that is refused otherwise.
      if (!channel.includes('#')) expect(await peer.emit(channel, 'no'), channel).toBe(tells);
    }
    for (const channel of allowed) expect(await peer.emit(channel, 'yes'), channel).toBe(false);
    await until(() => expect(everything).toContain(`${allowed.at(-1)} yes`));
    expect(everything).toEqual(allowed.map((channel) => `${channel} yes`));
    expect(running.count('router.refused.not_allowed')).toBe(
      refused.filter((channel) => !channel.includes('#')).length,
    );
  });

  it('are obeyed when somebody subscribes, and no wildcard gets round them', async () => {
    const ada = await connect(ADA);
    for (const pattern of [
      'eve/#',
      'home/eve/#',
      '$slipway/stats',
      '$slipway/+',
      '$slipway/links/#',
      'sensors/+/set',
    ])
      expect(await ada.subscribe(pattern), pattern).toBe(true);
    for (const pattern of ['#', '+/#', '+/+', 'home/+/x', '$slipway/#', '$slipway/devices/+/state'])
      expect(await ada.subscribe(pattern), pattern).toBe(false);
    for (const channel of ['secret', 'eve/x', 'ada', 'home/eve/x', 'public', 'staff', 'home/ada/x'])
      await ops.emit(channel, '1');
    running.gateway.emit('$slipway/devices/pump/log', 'booting');
    running.gateway.emit('$slipway/devices/pump/state', 'online');
    const wanted = ['$slipway/devices/pump/state online', 'ada 1', 'home/ada/x 1', 'public 1', 'staff 1'];
    await until(() => expect([...new Set(ada.heard)].sort()).toEqual(wanted));
  });

  it('are obeyed with last values', async () => {
    for (const channel of ['ada/state', 'eve/state']) await ops.emit(channel, 'kept', { retain: true });
    const ada = await connect(ADA);
    await ada.subscribe('#');
    await until(() => expect(ada.heard).toEqual(['ada/state kept']));
  });

  it('say who may broadcast, and all hear it', async () => {
    const [ada, device] = [await connect(ADA), await connect({ identity: 'sensor-1' })];
    for (const peer of [ada, device]) expect(await peer.subscribe('$slipway/broadcast')).toBe(false);
    expect(await ada.emit('$slipway/broadcast', 'no')).toBe(tells);
    await ops.broadcast('yes');
    for (const { heard } of [ada, device])
      await until(() => expect(heard).toEqual(['$slipway/broadcast yes']));
  });

  it('hold when they are changed, for whoever is connected', async () => {
    const ada = await connect(ADA);
    await ada.subscribe('#');
    await ops.emit('ada/x', 'before');
    await until(() => expect(ada.heard).toEqual(['ada/x before']));
    await reload([
      ...RULES.filter(({ who }) => who !== 'user:ada'),
      { who: 'user:ada', emit: 'new', subscribe: 'new' },
    ]);
    for (const channel of ['ada/x', 'new']) await ops.emit(channel, 'after');
    await until(() => expect(ada.heard).toEqual(['ada/x before', 'new after']));
    expect(await ada.emit('ada/x', 'no')).toBe(tells);
    expect(await ada.emit('new', 'yes')).toBe(false);
    await until(() => expect(everything.at(-1)).toBe('new yes'));
    expect(everything).not.toContain('ada/x no');
    expect(ada.closed()).toBe(false);
  });

  it('a user who is removed is disconnected, and the others stay', async () => {
    const [ada, eve] = [await connect(ADA), await connect({ user: 'eve', password: 'battery staple' })];
    const { ada: _, ...others } = USERS;
    await writeFile(file, usersText(others));
    await reload();
    await until(() => expect(ada.closed()).toBe(true));
    await expect(connect(ADA)).rejects.toThrow();
    expect(await eve.emit('staff/x', 'still here')).toBe(false);
    expect([eve.closed(), ops.connected]).toEqual([false, true]);
  });
});

describe('a shared subscription', () => {
  it.each([4, 5] as const)('is no way round the rules (level %i)', async (level) => {
    const ada = await mqtt(level)({ user: 'ada', password: 'correct horse' });
    for (const pattern of ['$share/g/eve/#', '$share/g/$slipway/stats'])
      expect(await ada.subscribe(pattern)).toBe(true);
    expect(await ada.subscribe('$share/g/#')).toBe(false);
    for (const channel of ['eve/x', 'ada/x']) await ops.emit(channel, '1');
    await until(() => expect(ada.heard).toEqual(['ada/x 1']));
  });
});

describeWithTools(['openssl'], 'a client certificate', () => {
  it('names the user, over native TCP and MQTT, as long as there is one', async () => {
    const maker = new CertificateMaker();
    onTestFinished(() => maker.remove());
    const authority = maker.authority('ca');
    const server = maker.server('server', authority);
    const secure = { port: 0, tls: { ...server, client_ca: authority.cert } };
    const { gateway, tcp } = await startGateway({ ...config(), listen: { tcp: secure, mqtt: secure } });
    const filesOf = async (name: string) => {
      const pair = maker.client(name, authority);
      const [ca, cert, key] = await Promise.all(
        [authority.cert, pair.cert, pair.key].map((path) => readFile(path)),
      );
      return { ca: ca as Buffer, cert: cert as Buffer, key: key as Buffer };
    };
    const ada = await filesOf('ada');
    const native = await connectTo(tcp, { tls: ada });
    await native.emit('home/ada/x', 'yes');
    await expect(native.emit('home/eve/x', 'no')).rejects.toMatchObject({ code: 'not_allowed' });
    const url = `mqtts://127.0.0.1:${gateway.addresses.mqtt[0]?.port}`;
    const client = await connectAsync(url, { ...ada, protocolVersion: 5, reconnectPeriod: 0 });
    onTestFinished(() => client.endAsync(true));
    await client.publishAsync('home/ada/x', 'yes', { qos: 1 });
    await expect(client.publishAsync('home/eve/x', 'no', { qos: 1 })).rejects.toMatchObject({
      code: NOT_AUTHORIZED,
    });
    const stranger = await filesOf('stranger');
    await expect(connectTo(tcp, { tls: stranger })).rejects.toMatchObject({ code: 'bad_credentials' });
    await expect(connectAsync(url, { ...stranger, reconnectPeriod: 0 })).rejects.toThrow();
  });
});

describe('a will', () => {
  it('of a native program is refused on a channel that is not its owner’s', async () => {
    const ada = await connectTo(running.tcp, { user: 'ada', password: 'correct horse' });
    for (const channel of ['eve/x', '$slipway/broadcast'])
      await expect(ada.setWill({ channel, payload: 'gone' })).rejects.toMatchObject({ code: 'not_allowed' });
    await ada.setWill({ channel: 'ada/x', payload: 'gone' });
  });

  it.each([4, 5] as const)('of MQTT (level %i), too', async (protocolVersion) => {
    const who = { username: 'ada', password: 'correct horse', protocolVersion };
    const will = (topic: string) => ({
      will: { topic, payload: Buffer.from('gone'), qos: 0 as const, retain: false },
    });
    await expect(connectMqtt({ ...who, ...will('eve/x') })).rejects.toThrow(/not authorized/i);
    const ada = await connectMqtt({ ...who, ...will('ada/x') });
    ada.stream.destroy();
    await until(() => expect(everything).toContain('ada/x gone'));
  });
});

describe('rules on a serial line', () => {
  it('are those for it', () => {
    const access = new Access(
      policy({ rules: [{ who: 'serial', emit: 'boards/#', subscribe: 'boards/#' }] }),
    );
    const simulation = new Simulation(1, { access });
    const line = new Line(simulation, 'serial');
    const { nextIn } = line.begin(hello());
    const emit = (name: string, seq: number) =>
      ({ type: 'emit', qos: 1, seq, retain: false, name, payload: Buffer.from('x') }) as const;
    line.say(emit('boards/1', nextIn), emit('staff/x', (nextIn + 1) & 0xffff));
    expect(line.received).toContainEqual(expect.objectContaining({ type: 'reject', reason: 'not_allowed' }));
    expect(simulation.counters.get('router.refused.not_allowed')).toBe(1);
  });
});

describe('rules on UDP', () => {
  it('are obeyed', async () => {
    const device = new UdpDevice('sensor-1');
    await device.connect(running.udp);
    for (const channel of ['sensors/sensor-2/x', 'staff/x', 'sensors/sensor-1/x']) device.emit(channel, 'hi');
    for (const pattern of ['#', 'staff/#']) device.subscribe(pattern);
    await until(() =>
      expect(device.outcomes.toSorted()).toEqual(['not_allowed', 'not_allowed', 'not_allowed', 'ok', 'ok']),
    );
    expect(everything).toEqual(['sensors/sensor-1/x hi']);
    for (const channel of ['sensors/sensor-2/set', 'sensors/sensor-1/x', 'staff/x', 'sensors/sensor-1/set'])
      await ops.emit(channel, '1');
    await until(() => expect(device.received).toEqual(['sensors/sensor-1/set 1']));
  });
});
