import { certificatesOf, checkTogether, readPem, validity } from './pem.js';

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

/**
 * Reads the files of a listener and checks that they can be used together. `nameOf` says what messages about one begin with, as
 * `listen.mqtt.tls.cert`; `now` is the time of day, ms.
 * @throws SlipwayError `tls_unusable`, whose message says what is wrong with which file
 */
export async function readCredentials(
  nameOf: (key: keyof TlsFiles) => string,
  files: TlsFiles,
  now = Date.now(),
): Promise<ReadCredentials> {
  const cert = await readPem(nameOf('cert'), files.cert);
  const key = await readPem(nameOf('key'), files.key);
  const clientCa =
    files.client_ca === undefined ? undefined : await readPem(nameOf('client_ca'), files.client_ca);

  const warnings = validity(cert, checkTogether(cert, key, clientCa), now);
  if (clientCa) warnings.push(...certificatesOf(clientCa).flatMap((each) => validity(clientCa, each, now)));
  return { credentials: { cert: cert.text, key: key.text, clientCa: clientCa?.text }, warnings };
}
