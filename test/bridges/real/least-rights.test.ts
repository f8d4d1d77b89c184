import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { connectTo, type RunningGateway, startGateway, until } from '../../support/gateways.js';
import { startNats } from '../../support/nats-server.js';
import { describeWithTools } from '../../support/tools.js';

/** As config/BRIDGES.md has them. */
const PERMISSIONS = {
  publish: { allow: ['plant.>', '$JS.API.>', '$KV.slipway.>'] },
  subscribe: { allow: ['plant.>', '_INBOX.>'] },
};

describeWithTools(['nats-server'], 'a login to NATS that may do what the page says, and no more', () => {
  it('is enough for a bridge', async () => {
    const server = await startNats({ users: [{ user: 'site', password: 'x', permissions: PERMISSIONS }] });
    const folder = await mkdtemp(join(tmpdir(), 'slipway-rights-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const password = join(folder, 'password');
    await writeFile(password, 'x', { mode: 0o600 });

    const nats = { servers: server.url, user: 'site', password_file: password };
    const rules = [
      { pattern: 'live/#', direction: 'both', qos: 0, remote: 'plant/live/#' },
      { pattern: 'kept/#', direction: 'both', qos: 2, remote: 'plant/kept/#' },
    ];
    const joined = async (gateway: string): Promise<RunningGateway> => {
      const running = await startGateway({ gateway, bridges: [{ name: 'plant', nats, rules }] });
      await until(() => expect(running.gateway.statistics().bridges?.plant?.state).toBe('up'));
      return running;
    };
    const [a, b] = [await joined('a'), await joined('b')];
    const [sender, hearer] = [await connectTo(a.tcp), await connectTo(b.tcp)];
    const heard: string[] = [];
    await hearer.subscribe('#', ({ channel, text }) => void heard.push(`${channel} ${text}`));
    await until(async () => {
      await sender.emit('live/ready', '', { qos: 0 });
      await sender.emit('kept/ready', '');
      expect(heard).toEqual(expect.arrayContaining(['live/ready ', 'kept/ready ']));
    });
    await sender.emit('kept/last', 'value', { qos: 2, retain: true });
    await until(() => expect(heard).toContain('kept/last value'));

    const late = await joined('c');
    const values: string[] = [];
    await (await connectTo(late.tcp)).subscribe('kept/#', ({ text }) => void values.push(text));
    await until(() => expect(values).toEqual(['value']));
    for (const { gateway, log } of [a, b, late]) {
      expect(gateway.statistics().bridges?.plant).toMatchObject({ state: 'up', reconnects: 0, drops: {} });
      expect(log.filter(({ level }) => Number(level) >= 40)).toEqual([]);
    }
  });
});
