import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { REASONS } from '../../src/wire/reasons.js';
import { LIBRARY } from './build.js';

it('slipway.h names every reason of PROTOCOL.md §7, under its code', () => {
  const header = readFileSync(join(LIBRARY, 'slipway.h'), 'utf8');
  const names = [...header.matchAll(/^ {2}SLIPWAY_REASON_(\w+)( = 0)?,?$/gm)].map(([, name]) =>
    name?.toLowerCase(),
  );
  expect(names).toEqual(REASONS);
});
