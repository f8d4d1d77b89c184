import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  type TlsOptions,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import type { NatsConfig } from '../../config/schema.js';
import { reasonOf } from '../../errors.js';
import { UpstreamError } from '../upstream.js';
import { readUpstreamFiles, type UpstreamFiles } from '../upstream-files.js';
import type { NatsUpstreamOptions } from './upstream.js';

/** How long a server may take to answer, ms. */
const CONNECT_MS = 5000;
/** How often it is asked whether it is still there, ms; the second time without an answer it is not. */
const PING_MS = 10_000;

/**
 * What the library needs to connect. Files are read each time: whoever mends one need not restart the gateway.
 * @throws UpstreamError when a file cannot be used
 */
export async function connectionOptions({
  config,
  gateway,
  bridge,
}: Pick<NatsUpstreamOptions, 'config' | 'gateway' | 'bridge'>): Promise<ConnectionOptions> {
  const files = await readUpstreamFiles(config);
  const tls = tlsOptions(config, files);
  const authenticator = login(config, files);
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
function tlsOptions({ servers, servername }: NatsConfig, files: UpstreamFiles): TlsOptions | undefined {
  const { ca, cert, key } = files;
  const wanted = servers.some((server) => server.startsWith('tls://'));
  if (!wanted && ca === undefined && cert === undefined && servername === undefined) return undefined;
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    // The library passes on what it does not know.
    ...(servername !== undefined && ({ servername } as object)),
  };
}

function login({ credentials: file, user }: NatsConfig, files: UpstreamFiles): Authenticator | undefined {
  const { credentials, password, token } = files;
  if (credentials !== undefined) {
    const authenticator = credsAuthenticator(credentials);
    try {
      authenticator('');
    } catch (error) {
      const text = `credentials: ${file}: is no .creds file, as nsc makes them (${reasonOf(error)})`;
      throw new UpstreamError('login_refused', text, { cause: error });
    }
    return authenticator;
  }
  if (user !== undefined && password !== undefined) return usernamePasswordAuthenticator(user, password);
  return token === undefined ? undefined : tokenAuthenticator(token);
}
