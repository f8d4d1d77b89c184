import { SlipwayError } from '../errors.js';
import { isLoopback } from '../links/party.js';
import type { Credentials } from '../session/peer-session.js';
import { KEY_BYTES, MAX_OPTION_BYTES } from '../wire/limits.js';
import type { Reason } from '../wire/reasons.js';
import { type ConnectOptions, DEFAULT_HOST } from './options.js';

const NOT_ALLOWED =
  "no rule of the gateway allows it anything (a user and a password, or a token, may help), or its session is another user's";
const KEY_IN_HEX = new RegExp(`^[0-9a-f]{${2 * KEY_BYTES}}$`, 'i');

/**
 * What a HELLO is to show of who this program is (PROTOCOL.md §4.8).
 * @throws SlipwayError `invalid_option` for what cannot be, or does not go together; `insecure_connection` when a password or
 *   token would cross a network for everyone to read. Neither names a secret.
 */
export function credentialsOf(options: ConnectOptions): Credentials {
  const { user, password, token, key, identity } = options;
  if ((user === undefined) !== (password === undefined))
    throw invalid(user === undefined ? 'a password needs a user' : 'a user needs a password');
  if (password !== undefined && token !== undefined)
    throw invalid('give a user and a password, or a token, not both');
  if (key !== undefined && identity === undefined)
    throw invalid('a key belongs to an identity: give that, too');
  const secret = password ?? token;
  if (secret !== undefined && !secretsAreSafe(options))
    throw new SlipwayError(
      'insecure_connection',
      `a password or token would cross the network to ${options.host} for everyone to read: connect with TLS, or say insecure: true (--insecure)`,
    );
  return {
    ...(user !== undefined && { user: checkedText('user', user) }),
    ...(secret !== undefined && {
      secret: Buffer.from(checkedText(password === undefined ? 'token' : 'password', secret)),
    }),
    ...(key !== undefined && { key: keyBytes(key) }),
  };
}

/** Whether nobody but the gateway can read what is sent, or the program does not mind. */
function secretsAreSafe({ host = DEFAULT_HOST, tls = false, insecure = false }: ConnectOptions): boolean {
  return insecure || tls !== false || host === 'localhost' || isLoopback(host);
}

function checkedText(name: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(`${name} must be text`);
  const bytes = Buffer.byteLength(value);
  if (bytes >= 1 && bytes <= MAX_OPTION_BYTES) return value;
  throw invalid(`${name} has ${bytes} bytes: it must have 1 to ${MAX_OPTION_BYTES}`);
}

function keyBytes(key: unknown): Uint8Array {
  if (typeof key === 'string' && KEY_IN_HEX.test(key)) return Buffer.from(key, 'hex');
  if (key instanceof Uint8Array && key.length === KEY_BYTES) return key;
  throw invalid(`key must be ${KEY_BYTES} bytes, or ${2 * KEY_BYTES} hexadecimal digits`);
}

function invalid(message: string): SlipwayError {
  return new SlipwayError('invalid_option', message);
}

/** What it means that a session is refused for who asks for it; undefined if it is refused for something else. */
export function credentialsProblem(reason: Reason, { user, token, key }: ConnectOptions): string | undefined {
  if (reason === 'not_allowed') return NOT_ALLOWED;
  if (reason !== 'bad_credentials') return undefined;
  if (key !== undefined)
    return 'the key is not the one that the gateway has for this identity, or the gateway did not prove that it has one';
  if (user !== undefined) return 'the user name or the password is not right';
  if (token !== undefined) return 'the token is not right';
  return 'the gateway wants to know who this is: a user and a password, a token, or the key of this identity';
}
