import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { portsCommand } from '../../src/cli/ports.js';
import type { PortDescription } from '../../src/links/serial/list-ports.js';

const UNO: PortDescription = {
  path: '/dev/ttyACM0',
  stablePath: '/dev/serial/by-id/usb-Arduino_0043_7533-if00',
  vendorId: '2341',
  productId: '0043',
  serialNumber: '7533',
};

async function run(ports: PortDescription[], ...args: string[]): Promise<string> {
  let out = '';
  const command: Command = portsCommand(async () => ports).configureOutput({
    writeOut(text) {
      out += text;
    },
  });
  await command.parseAsync(args, { from: 'user' });
  return out;
}

describe('slipway ports', () => {
  it('says what is plugged in and what to write', async () => {
    const out = await run([UNO, { path: 'COM3', vendorId: '1a86', productId: '7523' }]);
    expect(out).toContain('/dev/ttyACM0  Arduino Uno R3\n');
    expect(out).toContain('USB 2341:0043, serial number 7533\n');
    expect(out).toContain(`- { name: ttyacm0, path: ${UNO.stablePath} }`);
    expect(out).toContain('COM3  CH340 adapter');
  });

  it('names a port by its USB serial number where it has no stable path', async () => {
    const { stablePath: _, ...bare } = UNO;
    const [port] = JSON.parse(await run([bare], '--json')) as [{ config: string; board: string }];
    expect(parse(port.config)).toEqual([{ name: 'ttyacm0', usb: { serial_number: '7533' } }]);
    expect(port.board).toBe('Arduino Uno R3');
  });

  it('says so when there are none', async () => {
    expect(await run([])).toContain('No serial ports');
    expect(JSON.parse(await run([], '--json'))).toEqual([]);
  });
});
