import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/config/nearest.js';

const KEYS = [
  'tcp',
  'udp',
  'port',
  'host',
  'max_connections',
  'serial_number',
  'sessions',
  'expiry',
  'password_file',
];

describe('nearest', () => {
  it.each([
    ['prot', 'port'],
    ['por', 'port'],
    ['hosst', 'host'],
    ['hist', 'host'],
    ['TCP', 'tcp'],
    ['maxConnections', 'max_connections'],
    ['max-conections', 'max_connections'],
    ['serial', 'serial_number'],
    ['sess', 'sessions'],
    ['max', undefined],
    ['session', 'sessions'],
    ['password', 'password_file'],
    ['connections', 'max_connections'],
    ['serial_number_of_it', 'serial_number'],
    ['expiry_ms', 'expiry'],
    ['tp', 'tcp'],
    ['upd', 'udp'],
    ['', undefined],
    ['x', undefined],
    ['toString', undefined],
    ['x'.repeat(100_000), undefined],
  ])('%s → %s', (typed, meant) => {
    expect(nearest(typed, KEYS)).toBe(meant);
  });
});
