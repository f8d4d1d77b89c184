import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { codeOf, reasonOf, SlipwayError } from '../../errors.js';

/** The PEM files of a listener, as `tls` of the config names them. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly client_ca?: string;
}

/** What a listener shows its clients, and whom it believes; PEM. */
export interface TlsCredentials {
  readonly cert: string;
  readonly key: string;
  /** Who signs the certificates of clients; undefined: they need none. */
  readonly clientCa: string | undefined;
}

export interface ReadCredentials {
  readonly credentials: TlsCredentials;
  /** What is wrong and yet does not keep the files from being used. */
  readonly warnings: readonly string[];
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

const READ_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file: a part of its path is not a directory',
  EACCES: 'permission denied: it must be readable by the user that runs slipway',
  EISDIR: 'is a directory, not a PEM file',
};

/**
 * Reads the files of a listener and checks that they can be used together. `setting` is where they are named, as
 * `listen.mqtt.tls`; `now` the time of day, ms.
 * @throws SlipwayError `tls_unusable`, whose message says what is wrong with which file
 */
export async function readCredentials(
  setting: string,
  files: TlsFiles,
  now = Date.now(),
): Promise<ReadCredentials> {
  const read = (key: keyof TlsFiles, file: string) => readPem(`${setting}.${key}: ${file}`, file);
  const cert = await read('cert', files.cert);
  const key = await read('key', files.key);
  const clientCa = files.client_ca === undefined ? undefined : await read('client_ca', files.client_ca);

  const where = `${setting}.cert: ${files.cert}`;
  const [own] = certificatesOf(where, cert);
  const keyIs = `${setting}.key: ${files.key}`;
  if (own?.checkPrivateKey(privateKeyOf(keyIs, key)) !== true)
    throw unusable(keyIs, `is not the key of the certificate in ${files.cert}`);
  const ofClients =
    clientCa === undefined ? [] : certificatesOf(`${setting}.client_ca: ${files.client_ca}`, clientCa);
  try {
    createSecureContext({ cert, key, ca: clientCa });
  } catch (error) {
    throw unusable(where, `cannot be used: ${reasonOf(error)}`, error);
  }
  const warnings = [
    ...validity(where, own, now),
    ...ofClients.flatMap((each) => validity(`${setting}.client_ca: ${files.client_ca}`, each, now)),
  ];
  return { credentials: { cert, key, clientCa }, warnings };
}

async function readPem(where: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unusable(where, READ_PROBLEMS[codeOf(error) ?? ''] ?? `cannot be read: ${reasonOf(error)}`, error);
  }
}

function certificatesOf(where: string, pem: string): X509Certificate[] {
  const blocks = pem.match(CERTIFICATE) ?? [];
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

function privateKeyOf(where: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    const problem = /^(-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED)/m.test(pem)
      ? 'has a passphrase: store the key without one (openssl pkey -in KEY -out NEW), readable by slipway alone'
      : 'holds no private key: it needs one in PEM, which begins with "-----BEGIN PRIVATE KEY-----" or alike';
    throw unusable(where, problem, error);
  }
}

function validity(where: string, { subject, validFrom, validTo }: X509Certificate, now: number): string[] {
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
