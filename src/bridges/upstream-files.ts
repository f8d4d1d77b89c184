import { FileProblems } from '../config/file-problems.js';
import type { SettingName } from '../config/load.js';
import type { BridgeConfig } from '../config/schema.js';
import { SlipwayError } from '../errors.js';
import {
  certificatesOf,
  checkTogether,
  type PemFile,
  readPem,
  readProblem,
  validity,
} from '../links/tls/pem.js';
import { readSecretFile } from '../secret-file.js';
import { UpstreamError } from './upstream.js';

/** The files that an upstream's settings name. */
export interface NamedFiles {
  readonly credentials?: string;
  readonly password_file?: string;
  readonly token_file?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What is in them. */
export interface UpstreamFiles {
  /** As the NATS library takes it. */
  readonly credentials: Uint8Array | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
  /** PEM. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** What is wrong and yet does not keep them from being used. */
  readonly warnings: readonly string[];
}

/** The permissions of those who are neither the owner nor of its group. */
const OTHERS = 0o007;
/** What a .creds file has, by its own words. */
const PARTS_OF_CREDENTIALS = ['BEGIN NATS USER JWT', 'BEGIN USER NKEY SEED'];
/** No secret is as long, bytes: who names a wrong file does not have it read to its end. */
const MAX_SECRET_BYTES = 64 * 1024;

/**
 * Reads the files that log a bridge in and encrypt its connection, and checks that they can be used. `nameOf`: what messages about one
 * begin with; `now`: the time of day, ms.
 * @throws UpstreamError `login_refused` or `certificate`, whose message says what is wrong with which file
 */
export async function readUpstreamFiles(
  files: NamedFiles,
  nameOf: (key: keyof NamedFiles) => string = (key) => key,
  now = Date.now(),
): Promise<UpstreamFiles> {
  const warnings: string[] = [];
  const secret = async (key: 'credentials' | 'password_file' | 'token_file') => {
    const path = files[key];
    return path === undefined ? undefined : readSecret(`${nameOf(key)}: ${path}`, path, warnings);
  };
  const credentials = await secret('credentials');
  if (credentials && !PARTS_OF_CREDENTIALS.every((part) => credentials.includes(part)))
    throw refused(`${nameOf('credentials')}: ${files.credentials}`, 'is no .creds file, as nsc makes them');
  const password = await secret('password_file');
  const token = await secret('token_file');
  const pem = async (key: 'ca' | 'cert' | 'key') => {
    const path = files[key];
    return path === undefined ? undefined : readPem(nameOf(key), path);
  };
  try {
    const [ca, cert, key] = [await pem('ca'), await pem('cert'), await pem('key')];
    warnings.push(...checkCertificates(ca, cert, key, now));
    return {
      credentials,
      password: password && lineOf(password),
      token: token && lineOf(token),
      ca: ca?.text,
      cert: cert?.text,
      key: key?.text,
      warnings,
    };
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    throw new UpstreamError('certificate', error.message, { cause: error });
  }
}

/** Checks the files that bridges name, also those behind one that cannot be used. */
export async function checkBridgeFiles(
  bridges: readonly BridgeConfig[],
  nameOf: SettingName,
): Promise<FileProblems> {
  const found = new FileProblems();
  for (const [index, bridge] of bridges.entries()) {
    for (const kind of ['nats', 'mqtt'] as const) {
      for (const files of separately(bridge[kind] ?? {}))
        await found.add(readUpstreamFiles(files, (key) => nameOf(['bridges', index, kind, key])));
    }
  }
  return found;
}

/** What can be judged without the others. */
function separately(files: NamedFiles): NamedFiles[] {
  const { credentials, password_file, token_file, ...certificates } = files;
  return [
    { ...(credentials !== undefined && { credentials }) },
    { ...(password_file !== undefined && { password_file }) },
    { ...(token_file !== undefined && { token_file }) },
    certificates,
  ];
}

function checkCertificates(
  ca: PemFile | undefined,
  cert: PemFile | undefined,
  key: PemFile | undefined,
  now: number,
): string[] {
  const ofAuthority = ca ? certificatesOf(ca).flatMap((each) => validity(ca, each, now)) : [];
  const own = cert && key ? validity(cert, checkTogether(cert, key, ca), now) : [];
  return [...ofAuthority, ...own];
}

async function readSecret(where: string, path: string, warnings: string[]): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readSecretFile(path, ({ mode, size }) => {
      if ((mode & OTHERS) !== 0)
        warnings.push(`${where}: everyone on this machine can read it or write into it: chmod o= ${path}`);
      if (size > MAX_SECRET_BYTES)
        throw refused(where, `has ${size} bytes: it should hold a secret and nothing else`);
    });
  } catch (error) {
    if (error instanceof UpstreamError) throw error;
    throw refused(where, readProblem(error), error);
  }
  if (lineOf(bytes) === '') throw refused(where, 'is empty: it should hold the secret');
  return bytes;
}

/** The text less the end of its last line. */
function lineOf(bytes: Buffer): string {
  return bytes.toString().replace(/\r?\n$/, '');
}

function refused(where: string, problem: string, cause?: unknown): UpstreamError {
  return new UpstreamError('login_refused', `${where}: ${problem}`, { cause });
}
