import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.js';
import { Gateway } from '../../../src/gateway/gateway.js';
import type { ProtocolLevel } from '../../../src/mqtt/wire/packets.js';
import { casesOf } from './cases.js';
import { play } from './script.js';

const LISTEN = { tcp: false, udp: false, mqtt: { port: 0 } };

/** All cases of these versions against one gateway, which knows nothing of them; and against one that keeps what it acknowledges. */
export function conformance(what: string, levels: readonly ProtocolLevel[]): void {
  describe.each(['', ' with a store'])(`a server of ${what}%s`, (stored) => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-mqtt-'));
    const store = stored && { path: join(folder, 'store') };
    let gateway: Gateway;
    beforeAll(async () => {
      const config = { version: 1, listen: LISTEN, ...(store ? { store } : {}) };
      gateway = await Gateway.start({
        config: parseConfig(JSON.stringify(config), 'test', {}),
        logger: pino({ level: 'silent' }),
      });
    });
    afterAll(async () => {
      await gateway.stop();
      rmSync(folder, { recursive: true });
    });

    it.each(casesOf(levels))('$level: $name', async ({ script, level, number }) => {
      await play(script, level, gateway.addresses.mqtt[0]?.port as number, number);
    });
  });
}
