import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { LIBRARY, librarySources, ROOT } from './build.js';

const STRICT = ['-Wall', '-Wextra', '-Werror'];
const ARDUINO = ['-I', join(ROOT, 'test/firmware/arduino'), '-I', LIBRARY];

/** Runs gcc in a folder of its own, then what it made there if that is a program. Returns what that printed. */
function compile(args: readonly string[], run: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-udp-'));
  const output = join(folder, 'output');
  try {
    execFileSync('gcc', [...STRICT, ...ARDUINO, ...args, '-o', output], { stdio: 'pipe' });
    return run ? execFileSync(output, { encoding: 'utf8' }) : '';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describeWithTools(['gcc', 'g++'], 'the Arduino library on UDP', () => {
  it('asks for the gateway once a datagram while there is no network, and connects when there is', () => {
    const program = join(ROOT, 'test/firmware/udp-wrapper.cpp');
    const printed = compile([program, ...librarySources(), '-lstdc++'], true);
    expect(printed.split('\n')).toEqual([
      // 100 ms in which one HELLO was due.
      'tries 1',
      'b0010001020304000000000000000fc0d102ff010404000003657370',
      'f20489abcdefba100000016c6564',
      'f20489abcdefbb1001',
      // What came from another port is not in it.
      'led off',
      '800178',
      'connected 1, emitted 0',
      '',
    ]);
  });

  it('has a sketch that compiles without a warning', () => {
    const sketch = join(ROOT, 'firmware-protocol/examples/UdpSensor/UdpSensor.ino');
    compile(['-c', '-x', 'c++', '-include', 'Arduino.h', sketch], false);
  });
});
