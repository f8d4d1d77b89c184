import { readFile } from 'node:fs/promises';
import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  type TlsOptions,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import type { NatsConfig } from '../../config/schema.js';
import { codeOf, reasonOf } from '../../errors.js';
import { UpstreamError, type UpstreamErrorCode } from '../upstream.js';
import type { NatsUpstreamOptions } from './upstream.js';

/** How long a server may take to answer, ms. */
const CONNECT_MS = 5000;
/** How often it is asked whether it is still there, ms; the second time without an answer it is not. */
const PING_MS = 10_000;

/**
 * What the library needs to connect. Files are read each time: whoever mends one need not restart the gateway.
 * @throws UpstreamError when a file cannot be read
 */
export async function connectionOptions({
  config,
  gateway,
  bridge,
}: NatsUpstreamOptions): Promise<ConnectionOptions> {
  const tls = await tlsOptions(config);
  const authenticator = await login(config);
  return {
    servers: config.servers,
    name: `slipway ${gateway} ${bridge}`,
    reconnect: false,
    noEcho: true,
    noAsyncTraces: true,
    ignoreClusterUpdates: true,
    timeout: CONNECT_MS,
    pingInterval: PING_MS,
    maxPingOut: 2,
    ...(authenticator && { authenticator }),
    ...(tls && { tls }),
  };
}

/** Undefined: encrypted if the server wants it so. */
async function tlsOptions({
  servers,
  ca,
  cert,
  key,
  servername,
}: NatsConfig): Promise<TlsOptions | undefined> {
  const wanted = servers.some((server) => server.startsWith('tls://'));
  if (!wanted && ca === undefined && cert === undefined && servername === undefined) return undefined;
  const pem = (setting: string, file: string) => readText(setting, file, 'certificate');
  return {
    ...(ca !== undefined && { ca: await pem('ca', ca) }),
    ...(cert !== undefined && { cert: await pem('cert', cert) }),
    ...(key !== undefined && { key: await pem('key', key) }),
    // The library passes on what it does not know.
    ...(servername !== undefined && ({ servername } as object)),
  };
}

async function login(config: NatsConfig): Promise<Authenticator | undefined> {
  const { credentials, user, password_file: password, token_file: token } = config;
  if (credentials !== undefined) {
    const authenticator = credsAuthenticator(await readBytes('credentials', credentials));
    try {
      authenticator('');
    } catch (error) {
      const text = `credentials: ${credentials} is no file of credentials as nsc makes them (${reasonOf(error)})`;
      throw new UpstreamError('login_refused', text, { cause: error });
    }
    return authenticator;
  }
  if (user !== undefined && password !== undefined)
    return usernamePasswordAuthenticator(user, await readText('password_file', password));
  if (token !== undefined) return tokenAuthenticator(await readText('token_file', token));
  return undefined;
}

async function readText(
  setting: string,
  file: string,
  code: UpstreamErrorCode = 'login_refused',
): Promise<string> {
  const text = Buffer.from(await readBytes(setting, file, code)).toString();
  return text.replace(/\r?\n$/, '');
}

async function readBytes(
  setting: string,
  file: string,
  code: UpstreamErrorCode = 'login_refused',
): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'there is no such file' : reasonOf(error);
    throw new UpstreamError(code, `${setting}: ${file} cannot be read: ${why}`, { cause: error });
  }
}
