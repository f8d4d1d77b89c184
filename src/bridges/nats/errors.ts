import { JetStreamApiError } from '@nats-io/jetstream';
import {
  AuthorizationError,
  PermissionViolationError,
  RequestError,
  TimeoutError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node';
import type { NatsConfig } from '../../config/schema.js';
import { codeOf, reasonOf } from '../../errors.js';
import { UpstreamError } from '../upstream.js';

/** Codes of Node for a certificate, or a TLS handshake, that is not as it should be. */
const TLS_CODES = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;

/** Codes of Node for a connection that the other side has cut. */
const CUT_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

/** Why there is no connection, or no longer, as a user wants to read it. `where`: the servers that were tried. */
export function connectionProblem(error: unknown, where: string, config: NatsConfig): UpstreamError {
  const cause = rootOf(error);
  const reason = shortReasonOf(cause);
  const code = codeOf(cause);
  const problem = (kind: UpstreamError['code'], text: string) =>
    new UpstreamError(kind, `${where}: ${text}`, { cause: error });
  if (error instanceof UpstreamError) return error;
  if (cause instanceof UserAuthenticationExpiredError)
    return problem('login_refused', 'the login has expired: renew the credentials');
  if (cause instanceof AuthorizationError)
    return problem('login_refused', `login refused (${reason}): ${loginMend(config)}`);
  if (TLS_CODES.test(code))
    return problem('certificate', `no encrypted connection (${reason}): ${tlsMend(code)}`);
  if (/support 'tls'/.test(reason))
    return problem(
      'certificate',
      'does not encrypt: write nats:// and leave out ca, cert, key and servername',
    );
  if (cause instanceof TimeoutError)
    return problem('unreachable', 'does not answer as a NATS server does: check host and port');
  if (/unexpected response/.test(reason))
    return problem('unreachable', 'answers, and is no NATS server: check host and port');
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return problem('unreachable', `there is no such host (${code}): check the name, or use an address`);
  if (code === 'ECONNREFUSED' || reason === 'connection refused')
    return problem('unreachable', 'connection refused: check that it runs, and host and port');
  const isCut = cause === undefined || /undefined error/.test(reason);
  // In TLS 1.3 the server says so after the handshake, and its connection may be gone before that is read.
  if ((isCut || CUT_CODES.has(code)) && where.startsWith('tls:') && config.cert === undefined)
    return problem(
      'certificate',
      'closed the encrypted connection at once: does it want a certificate (cert, key)?',
    );
  if (isCut) return problem('unreachable', 'closed the connection at once');
  return problem('unreachable', reason);
}

/** Whether a connection that stood was cut off for what it was sent, perhaps; rather than out of reach, or expired. */
export function isCut(error: unknown): boolean {
  const cause = rootOf(error);
  const isOther =
    cause instanceof AuthorizationError ||
    cause instanceof UserAuthenticationExpiredError ||
    cause instanceof TimeoutError;
  return !isOther && (codeOf(cause) === '' || CUT_CODES.has(codeOf(cause)));
}

/** Why what needs JetStream cannot be had; `what` was to be done. */
export function jetStreamProblem(error: unknown, where: string, what: string): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const problem = (kind: UpstreamError['code'], text: string) =>
    new UpstreamError(kind, `${where}: ${text}`, { cause: error });
  if (isNotEnabled(error))
    return problem(
      'unsuitable',
      'has no JetStream, which rules of QoS 1 and 2, presence and broadcast need: start it with "nats-server -js", or write qos: 0 in the rules and leave out the others',
    );
  const cause = rootOf(error);
  if (cause instanceof PermissionViolationError)
    return problem(
      'unsuitable',
      `this login may not ${what} (${cause.message}): allow it to publish on $JS.API.> and to subscribe to _INBOX.>`,
    );
  if (cause instanceof TimeoutError)
    return problem('unreachable', `JetStream does not answer: could not ${what}; has the cluster a leader?`);
  if (error instanceof JetStreamApiError && error.status < 500)
    return problem('unsuitable', `could not ${what}: ${error.message}`);
  return problem('unreachable', `could not ${what}: ${reasonOf(cause)}`);
}

/** JetStream is off on the server, or for the account; the library does not export the class of the first. */
function isNotEnabled(error: unknown): boolean {
  if (error instanceof Error && error.name === 'JetStreamNotEnabled') return true;
  return error instanceof JetStreamApiError && [10_039, 10_076].includes(error.code);
}

/** Of an error of OpenSSL its reason, without the places in its source where it went through. */
function shortReasonOf(error: unknown): string {
  const { reason } = (error ?? {}) as { reason?: unknown };
  return typeof reason === 'string' ? reason : reasonOf(error);
}

/** What is under the wrappings of the library. */
function rootOf(error: unknown): unknown {
  if (error instanceof RequestError && error.cause !== undefined) return rootOf(error.cause);
  if (error instanceof Error && error.cause !== undefined && codeOf(error) === '') {
    const cause = error.cause;
    if (codeOf(cause) !== '') return cause;
  }
  return error;
}

function loginMend({ credentials, user, token_file: token }: NatsConfig): string {
  if (credentials !== undefined) return `is ${credentials} of this server's operator, and not revoked?`;
  if (user !== undefined) return 'check user and password_file';
  if (token !== undefined) return 'check token_file';
  return 'it wants to know who this is: give credentials, or user and password_file, or token_file';
}

function tlsMend(code: string): string {
  if (/ALTNAME|HOSTNAME/.test(code))
    return 'the certificate is for another host: use its name, or set servername';
  if (/EXPIRED/.test(code)) return 'renew the certificate of the server';
  if (/SELF_SIGNED|DEPTH_ZERO|UNABLE_TO/.test(code))
    return 'name the file of who signed the certificate of the server as ca';
  return 'does it want a certificate (cert, key), or another version of TLS?';
}
