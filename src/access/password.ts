import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

/** The longest password, bytes: what fits a native peer's HELLO. */
export const MAX_PASSWORD_BYTES = 255;

const HASH_BYTES = 32;
const SALT_BYTES = 16;
/** What new passwords are hashed with: of the settings that OWASP recommends, the one that takes the least memory, 16 MiB. */
const COST = { log2N: 14, r: 8, p: 5 } as const;
/** The most that an entry of the users file may cost: hashing it must not use up the memory of a small machine. */
const MAX_MEMORY_BYTES = 256 * 2 ** 20;
const MAX_P = 64;

/** A password as it is kept: salted, and hashed with scrypt (RFC 7914) at a cost of its own. */
export interface PasswordHash {
  /** log₂ of N. */
  readonly log2N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** Hashes a password of 1 to MAX_PASSWORD_BYTES bytes with a salt of its own. It takes some 100 ms, in the thread pool. */
export async function hashPassword(password: Uint8Array): Promise<PasswordHash> {
  const cost = { ...COST, salt: randomBytes(SALT_BYTES) };
  return { ...cost, hash: await derive(password, cost, HASH_BYTES) };
}

/** Whether it is that password. It takes as long whether or not it is, also where there is none (`undefined`): then it is not. */
export async function verifyPassword(
  password: Uint8Array,
  stored: PasswordHash | undefined,
): Promise<boolean> {
  const { hash, ...cost } = stored ?? NOBODYS;
  const derived = await derive(password, cost, hash.length);
  return timingSafeEqual(derived, hash) && stored !== undefined;
}

/** As it stands in the users file: `$scrypt$ln=14,r=8,p=5$salt$hash`, the latter two in Base64 without padding. */
export function formatHash({ log2N, r, p, salt, hash }: PasswordHash): string {
  return `$scrypt$ln=${log2N},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** The opposite of `formatHash`; undefined if it is no such text, or would cost too much. */
export function parseHash(text: string): PasswordHash | undefined {
  const [, ln, rText, pText, salt, hash] =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,128})\$([A-Za-z0-9+/]{22,128})$/.exec(
      text,
    ) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const [log2N, r, p] = [Number(ln), Number(rText), Number(pText)];
  if (log2N < 1 || r < 1 || p < 1 || p > MAX_P || memoryOf({ log2N, r, p }) > MAX_MEMORY_BYTES)
    return undefined;
  return { log2N, r, p, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

type Cost = Omit<PasswordHash, 'hash'>;

/** In the place of what somebody who does not exist, or has no password, would have. */
const NOBODYS: PasswordHash = {
  ...COST,
  salt: randomBytes(SALT_BYTES),
  hash: randomBytes(HASH_BYTES),
};

function derive(password: Uint8Array, { salt, ...cost }: Cost, length: number): Promise<Buffer> {
  const { log2N, r, p } = cost;
  const options: ScryptOptions = { N: 2 ** log2N, r, p, maxmem: memoryOf(cost) + 2 ** 20 };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, options, (error, derived) => (error ? reject(error) : resolve(derived)));
  });
}

function memoryOf({ log2N, r, p }: Omit<Cost, 'salt'>): number {
  return 128 * r * (2 ** log2N + p);
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '');
}
