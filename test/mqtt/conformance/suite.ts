import { pino } from 'pino';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.js';
import { Gateway } from '../../../src/gateway/gateway.js';
import type { ProtocolLevel } from '../../../src/mqtt/wire/packets.js';
import { casesOf } from './cases.js';
import { play } from './script.js';

const CONFIG = { version: 1, listen: { tcp: false, udp: false, mqtt: { port: 0 } } };

/** All cases of these versions against one gateway, which knows nothing of them. */
export function conformance(what: string, levels: readonly ProtocolLevel[]): void {
  describe(`a server of ${what}`, () => {
    let gateway: Gateway;
    beforeAll(async () => {
      const config = parseConfig(JSON.stringify(CONFIG), 'test', {});
      gateway = await Gateway.start({ config, logger: pino({ level: 'silent' }) });
    });
    afterAll(() => gateway.stop());

    it.each(casesOf(levels))('$level: $name', async ({ script, level, number }) => {
      await play(script, level, gateway.addresses.mqtt[0]?.port as number, number);
    });
  });
}
