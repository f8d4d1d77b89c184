import { timingSafeEqual } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { formatHash, hashPassword, parseHash, verifyPassword } from '../../src/access/password.js';
import { cheapHash } from '../support/policies.js';

// As it is, and counted.
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return { ...crypto, timingSafeEqual: vi.fn(crypto.timingSafeEqual) };
});

const bytes = (text: string) => Buffer.from(text);

describe('a password', () => {
  it('is kept salted and hashed, at a cost that OWASP recommends', async () => {
    const [one, other] = await Promise.all([hashPassword(bytes('secret')), hashPassword(bytes('secret'))]);
    expect(formatHash(one)).toMatch(/^\$scrypt\$ln=14,r=8,p=5\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one.salt).not.toEqual(other.salt);
    expect(one.hash).not.toEqual(other.hash);
    expect(await verifyPassword(bytes('secret'), one)).toBe(true);
    expect(await verifyPassword(bytes('Secret'), one)).toBe(false);
  });

  it('is verified at the cost of its own entry', async () => {
    const stored = parseHash(cheapHash('old and cheap'));
    expect(stored).toMatchObject({ log2N: 1, r: 1, p: 1 });
    expect(await verifyPassword(bytes('old and cheap'), stored)).toBe(true);
    expect(await verifyPassword(bytes(''), stored)).toBe(false);
  });

  it('is compared in a time that tells nothing of where the two differ', async () => {
    const stored = parseHash(cheapHash('secret'));
    for (const [password, entry] of [
      ['secret', stored],
      ['Secret', stored],
      ['secret', undefined],
    ] as const) {
      vi.mocked(timingSafeEqual).mockClear();
      await verifyPassword(bytes(password), entry);
      expect(timingSafeEqual).toHaveBeenCalledTimes(1);
    }
  });

  it('is nobody’s where there is no entry', async () => {
    expect(await verifyPassword(bytes('secret'), undefined)).toBe(false);
  });
});

describe('an entry', () => {
  it('is what was written', () => {
    const text = cheapHash('secret');
    expect(formatHash(parseHash(text) ?? expect.unreachable())).toBe(text);
  });

  it.each([
    '',
    'secret',
    '$2b$12$abcdefghijklmnopqrstuv',
    '$scrypt$ln=14,r=8,p=5$c2l4dGVlbiBieXRlcyBvaw$',
    '$scrypt$ln=0,r=8,p=5$c2l4dGVlbiBieXRlcyBvaw$c2l4dGVlbiBieXRlcyBvawc2l4dGVlbiBieXRlcyBvaw',
    // 1 GiB, and ten minutes of a core.
    '$scrypt$ln=20,r=8,p=1$c2l4dGVlbiBieXRlcyBvaw$c2l4dGVlbiBieXRlcyBvawc2l4dGVlbiBieXRlcyBvaw',
    '$scrypt$ln=14,r=8,p=99$c2l4dGVlbiBieXRlcyBvaw$c2l4dGVlbiBieXRlcyBvawc2l4dGVlbiBieXRlcyBvaw',
  ])('is refused when it is none, or would cost too much: %j', (text) => {
    expect(parseHash(text)).toBeUndefined();
  });
});
