import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expandGlob, isGlob } from '../../../src/links/serial/glob.js';

describe('a glob', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-glob-'));
    await mkdir(join(folder, 'serial/by-id'), { recursive: true });
    for (const name of ['ttyUSB0', 'ttyUSB10', 'ttyACM0', '.ttyUSB1', 'a+b(c)', 'serial/by-id/usb-X_1']) {
      await writeFile(join(folder, name), '');
    }
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each([
    ['ttyUSB*', ['ttyUSB0', 'ttyUSB10']],
    ['ttyUSB?', ['ttyUSB0']],
    ['tty[!U]*', ['ttyACM0']],
    ['tty[AU]?[0-9]', []],
    ['tty[AU]??[0-9]', ['ttyACM0', 'ttyUSB0']],
    ['tty[AU]??[0-9]*', ['ttyACM0', 'ttyUSB0', 'ttyUSB10']],
    ['.tty*', ['.ttyUSB1']],
    ['*+b(c*', ['a+b(c)']],
    ['s*/by-*/usb-*', ['serial/by-id/usb-X_1']],
    ['s*/by-id/usb-X_1', ['serial/by-id/usb-X_1']],
    ['nothing/*', []],
    ['ttyACM0/*', []],
  ])('%s', async (pattern, names) => {
    expect(await expandGlob(join(folder, pattern))).toEqual(names.map((name) => join(folder, name)));
  });

  it('is told from a plain path', () => {
    expect(isGlob('/dev/ttyUSB*')).toBe(true);
    expect(isGlob('/dev/serial/by-id/usb-Arduino__www.arduino.cc__0043-if00')).toBe(false);
  });
});
