import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** As `npm test` has just built it. */
const SLIPWAY = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** Short of the 30 s after which the gateway looks at idle connections: a timer left behind keeps the process. */
const PATIENCE_MS = 25_000;

test('the demo shows its readings and ends by itself, leaving nothing that keeps the process', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [SLIPWAY, 'demo', '--count', '8'], {
    timeout: PATIENCE_MS,
  });
  expect(stdout).toMatch(/^serial +greenhouse\/temperature +\d\d\.\d\d$/m);
  expect(stdout).toMatch(/^serial +\$slipway\/devices\/virtual-uno\/state +online$/m);
  expect(stderr).toBe('');
});
