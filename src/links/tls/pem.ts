import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { codeOf, reasonOf, SlipwayError } from '../../errors.js';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

const READ_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file: a part of its path is not a directory',
  EACCES: 'permission denied: it must be readable by the user that runs slipway',
  EISDIR: 'is a directory, not a file',
};

/** What is wrong with a file that could not be read, as a short clause. */
export function readProblem(error: unknown): string {
  return READ_PROBLEMS[codeOf(error)] ?? `cannot be read: ${reasonOf(error)}`;
}

/** A file in PEM. */
export interface PemFile {
  /** The setting that names it, and its path: what messages begin with. */
  readonly where: string;
  readonly path: string;
  readonly text: string;
}

/**
 * Reads a file in PEM that `setting` names.
 * @throws SlipwayError `tls_unusable`
 */
export async function readPem(setting: string, path: string): Promise<PemFile> {
  const where = `${setting}: ${path}`;
  try {
    return { where, path, text: await readFile(path, 'utf8') };
  } catch (error) {
    throw unusable(where, readProblem(error), error);
  }
}

/** The certificates in it, one at least. Throws as `readPem` does. */
export function certificatesOf({ where, text }: PemFile): X509Certificate[] {
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0)
    throw unusable(
      where,
      'holds no certificate: it needs one in PEM, which begins with "-----BEGIN CERTIFICATE-----"',
    );
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw unusable(where, `certificate ${index + 1} in it is damaged: ${reasonOf(error)}`, error);
    }
  });
}

/**
 * Checks that a certificate can be used with its key, and with who signs what the other side shows, if any. Returns the certificate. Throws as
 * `readPem` does.
 */
export function checkTogether(cert: PemFile, key: PemFile, ca: PemFile | undefined): X509Certificate {
  const [own] = certificatesOf(cert);
  if (own?.checkPrivateKey(privateKeyOf(key)) !== true)
    throw unusable(key.where, `is not the key of the certificate in ${cert.path}`);
  try {
    createSecureContext({ cert: cert.text, key: key.text, ca: ca?.text });
  } catch (error) {
    throw unusable(cert.where, `cannot be used: ${reasonOf(error)}`, error);
  }
  return own;
}

function privateKeyOf({ where, text }: PemFile): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    const problem = /^(-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED)/m.test(text)
      ? 'has a passphrase: store the key without one (openssl pkey -in KEY -out NEW), readable by slipway alone'
      : 'holds no private key: it needs one in PEM, which begins with "-----BEGIN PRIVATE KEY-----" or alike';
    throw unusable(where, problem, error);
  }
}

/** What is wrong with the certificate at `now` (time of day, ms), and yet does not keep it from being used. */
export function validity(
  { where }: PemFile,
  { subject, validFrom, validTo }: X509Certificate,
  now: number,
): string[] {
  const name = subject.replaceAll('\n', ', ');
  if (Date.parse(validTo) < now)
    return [`${where}: the certificate of ${name} expired on ${validTo}: renew it`];
  if (Date.parse(validFrom) > now)
    return [`${where}: the certificate of ${name} is not valid before ${validFrom}: is the clock right?`];
  return [];
}

function unusable(where: string, problem: string, cause?: unknown): SlipwayError {
  return new SlipwayError('tls_unusable', `${where}: ${problem}`, { cause });
}
