import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { Splitter } from '../../src/links/serial/splitter.js';
import { parseIntelHex } from '../../src/simulator/intel-hex.js';
import { VirtualUno } from '../../src/simulator/uno.js';
import { decodePacket } from '../../src/wire/decode.js';
import type { Hello } from '../../src/wire/messages.js';

const FIRMWARE = new URL('../../firmware-protocol/examples/SerialSensor/SerialSensor.hex', import.meta.url);

test('the firmware of the sensor example prints, then introduces itself ever more slowly, as a new boot after a reset', async () => {
  const uno = new VirtualUno(parseIntelHex(await readFile(FIRMWARE, 'latin1')));
  const lines: string[] = [];
  const dropped: string[] = [];
  const hellos: { at: number; hello: Hello }[] = [];
  const splitter = new Splitter(1024, {
    packet: (packet) => {
      for (const message of decodePacket(packet, 'peer')) {
        if (message.type === 'hello') hellos.push({ at: uno.ms, hello: message });
      }
    },
    line: (line) => lines.push(line),
    drop: (reason) => dropped.push(reason),
  });
  uno.onData((bytes) => splitter.push(bytes));

  uno.runFor(2500);
  expect(lines).toEqual(['greenhouse sensor started']);
  const waits = hellos.slice(1).map(({ at }, index) => at - (hellos[index]?.at ?? 0));
  expect(waits.length).toBeGreaterThanOrEqual(2);
  for (const [index, wait] of waits.entries()) {
    // PROTOCOL.md §9: 250 ms, doubling, each ± 25 %.
    expect(wait).toBeGreaterThan(250 * 2 ** index * 0.75 - 10);
    expect(wait).toBeLessThan(250 * 2 ** index * 1.25 + 10);
  }
  const nonce = hellos[0]?.hello.nonce;
  expect(new Set(hellos.map(({ hello }) => hello.nonce))).toEqual(new Set([nonce]));
  expect(hellos[0]?.hello.identity).toBe('virtual-uno');

  uno.reset();
  uno.runFor(100);
  expect(lines).toHaveLength(2);
  expect(hellos.at(-1)?.hello.nonce).not.toBe(nonce);
  expect(dropped).toEqual([]);
});
