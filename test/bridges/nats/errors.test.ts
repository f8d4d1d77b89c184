import { expect, it } from 'vitest';
import { connectionProblem } from '../../../src/bridges/nats/errors.js';
import type { NatsConfig } from '../../../src/config/schema.js';

const config = {} as NatsConfig;
const cut = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

// Which of them it is, is a race: the server ends the connection after the handshake, and says why just before.
it.each([cut, undefined])('a server that cuts an encrypted connection may want a certificate', (error) => {
  const { code, message } = connectionProblem(error, 'tls://n1:4222', config);
  expect(code).toBe('certificate');
  expect(message).toBe(
    'tls://n1:4222: closed the encrypted connection at once: does it want a certificate (cert, key)?',
  );
});

it.each([
  ['nats://n1:4222', config],
  ['tls://n1:4222', { ...config, cert: 'ours.pem', key: 'ours.key' }],
] as const)('one at %s to which that cannot be missing is unreachable', (where, given) => {
  expect(connectionProblem(cut, where, given).code).toBe('unreachable');
});
