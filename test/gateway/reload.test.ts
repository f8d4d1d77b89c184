import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import { connectTo, startGateway } from '../support/gateways.js';

const LISTEN = { tcp: { port: 0 }, udp: { port: 0 } };

const configOf = (listen: object, more: object = {}) =>
  parseConfig(JSON.stringify({ version: 1, listen, ...more }), 'test', {});

describe('Gateway.reload', () => {
  it('never removes the rules', async () => {
    const { gateway } = await startGateway({ access: { rules: [{ who: 'anyone', emit: ['a'] }] } });
    // A listener that stands may reach further than those of the new config.
    expect(await gateway.reload(configOf(LISTEN))).toEqual(['access']);
  });

  it('changes nothing when the users cannot be read', async () => {
    const rules = [{ who: 'anyone', emit: ['a'] }];
    const { gateway, tcp } = await startGateway({ access: { rules } });
    const client = await connectTo(tcp);
    const broken = { access: { users: { file: '/is/not/there.yaml' }, rules } };
    await expect(gateway.reload(configOf(LISTEN, broken))).rejects.toThrow('/is/not/there.yaml');
    await client.emit('a', '');
  });

  it('names what needs a restart', async () => {
    const { gateway } = await startGateway({ log: { level: 'info' } });
    expect(await gateway.reload(configOf(LISTEN))).toEqual([]);
    const changed = {
      tcp: { port: 0, tls: { cert: 'a', key: 'b' } },
      udp: { port: 0, one_shot: { channels: ['a'] } },
      mqtt: {},
    };
    const more = {
      serial: [{ name: 'a', path: '/dev/none' }],
      store: { path: '/nowhere' },
      limits: { backlog: '1 MiB', queue: { messages: 5 } },
    };
    const needing = [
      'listen.tcp',
      'listen.udp',
      'listen.mqtt',
      'serial',
      'store',
      'limits.queue.messages',
      'limits.backlog',
    ];
    expect((await gateway.reload(configOf(changed, more))).toSorted()).toEqual(needing.toSorted());
    // They are compared with what runs, not with what was read last.
    expect((await gateway.reload(configOf(changed, more))).toSorted()).toEqual(needing.toSorted());
    expect(await gateway.reload(configOf(LISTEN))).toEqual([]);
  });
});
