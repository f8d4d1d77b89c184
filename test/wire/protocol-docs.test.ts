import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { costs, EXAMPLES, framings, withGenerated } from '../generate/protocol-docs.js';
import { vectors } from './vectors.js';

const PROTOCOL = fileURLToPath(new URL('../../firmware-protocol/PROTOCOL.md', import.meta.url));

describe('PROTOCOL.md', () => {
  // `npx vitest run test/wire/protocol-docs.test.ts --update` writes it anew.
  it('has the overhead and the examples that the code makes today', async () => {
    await expect(withGenerated(readFileSync(PROTOCOL, 'utf8'))).toMatchFileSnapshot(PROTOCOL);
  });

  it.each(costs())('keeps the budget: $what, $bytes of $budget bytes', ({ bytes, budget }) => {
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(budget);
  });

  it.each(EXAMPLES)('has its example among the vectors of every link: %s', (name) => {
    const find = (file: 'packets' | 'serial-frames' | 'tcp-frames' | 'datagrams', prefix = 'example: ') =>
      vectors(file).find((vector) => vector.name === `${prefix}${name}`)?.hex;
    const packet = find('packets', '') as string;
    const made = Object.entries(framings(Buffer.from(packet, 'hex'))).map(([link, bytes]) => [
      link,
      Buffer.from(bytes).toString('hex'),
    ]);
    expect(Object.fromEntries(made)).toEqual({
      serial: find('serial-frames'),
      datagram: find('datagrams'),
      tcp: find('tcp-frames'),
    });
  });
});
