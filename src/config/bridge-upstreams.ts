import { z } from 'zod';
import { oneOrMany } from './forms.js';
import { count, duration, size } from './quantities.js';

const DAY_MS = 86_400_000;
const MANY_DAYS_MS = 3650 * DAY_MS;
const MUCH = Number.MAX_SAFE_INTEGER;
const MAX_SERVERS = 64;
const MAX_PORT = 65_535;
/** What NATS 2.9 takes (JetStream). */
const MAX_REPLICAS = 5;
/** Two bytes of seconds (MQTT 5, 3.1.2.10). */
const MAX_KEEP_ALIVE_MS = 65_535_000;
/** Four bytes of seconds, of which the highest number is for ever (MQTT 5, 3.1.2.11.2). */
const MAX_SESSION_EXPIRY_MS = (2 ** 32 - 2) * 1000;
/** One token of a subject, which is also a folder of the server. */
const NATS_NAME = /^[A-Za-z0-9_-]{1,64}$/;

const file = (what: string) => z.string().min(1, { error: `cannot be empty: name the file of ${what}` });
const text = z.string().min(1, { error: 'cannot be empty' });

/** Files of TLS, by the names that the flags of commands have. */
const tlsFiles = {
  ca: file('the authority (PEM)')
    .exactOptional()
    .describe("PEM file of who signed the server's certificate, if it is none that Node trusts."),
  cert: file('the certificate (PEM)')
    .exactOptional()
    .describe('PEM file of the certificate to show, if the server wants one.'),
  key: file('the private key (PEM)').exactOptional().describe('PEM file of its private key.'),
  servername: text
    .exactOptional()
    .describe("The name in the server's certificate, if it is not that of its host."),
};
const TLS_KEYS = ['ca', 'cert', 'key', 'servername'] as const;

const PASSWORD_FILE =
  'File that holds the password and nothing else; a line end after it does not count. A relative path starts at the folder of this file.';

type SecurityKey =
  | (typeof TLS_KEYS)[number]
  | 'url'
  | 'credentials'
  | 'user'
  | 'username'
  | 'password_file'
  | 'token_file';
/** Settings of an upstream as far as they were read. */
type Written = Readonly<Partial<Record<SecurityKey, unknown>>>;
type Context = z.core.$RefinementCtx;

/** How a server is named. */
interface ServerForm {
  readonly schemes: readonly string[];
  /** As people write it. */
  readonly example: string;
  /** What mends several in one text. */
  readonly several: string;
}

/** Text that names one server. */
function serverUrl(form: ServerForm) {
  return z.string().superRefine((written, context) => {
    const message = urlProblem(written, form);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
}

function urlProblem(written: string, { schemes, example, several }: ServerForm): string | undefined {
  const scheme = schemes.find((each) => written.startsWith(`${each}://`));
  if (scheme === undefined) {
    const all = schemes.map((each) => `${each}://`).join(', ');
    return `must begin with one of ${all}, as ${example}; not ${JSON.stringify(withoutLogin(written))}`;
  }
  const [, host = '', port] = /^\w+:\/\/([^/]*?)(?::(\d+))?(?:[/?#]|$)/.exec(written) ?? [];
  if (host.includes(',') && !host.includes('@')) return `names several servers: ${several}`;
  if (port !== undefined && (Number(port) < 1 || Number(port) > MAX_PORT))
    return `has the port ${port}: it must be one from 1 to ${MAX_PORT}`;
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (url === undefined || url.hostname === '')
    return `names no host: write it as ${example}; not ${JSON.stringify(withoutLogin(written))}`;
  if (url.username !== '' || url.password !== '')
    return 'must have no user and password in it: they have settings of their own, and secrets have files';
  const isWebSocket = scheme === 'ws' || scheme === 'wss';
  if (url.hash !== '' || (!isWebSocket && (!['', '/'].includes(url.pathname) || url.search !== '')))
    return `must end with the host and its port, as ${example}; not ${JSON.stringify(written)}`;
  return undefined;
}

/** A password is not shown, however the rest is written. */
function withoutLogin(written: string): string {
  return written.replace(/^([^/]*\/\/)?.*@/, '$1…@');
}

function bothOrNone(read: Written, one: SecurityKey, other: SecurityKey, context: Context): void {
  if ((read[one] === undefined) === (read[other] === undefined)) return;
  const [missing, given] = read[one] === undefined ? [one, other] : [other, one];
  context.addIssue({ code: 'custom', path: [missing], message: `is missing: ${given} needs it` });
}

const whenRead = {
  when: ({ value }: { value: unknown }) =>
    typeof value === 'object' && value !== null && !Array.isArray(value),
};

export const natsUpstream = z
  .strictObject({
    servers: oneOrMany(
      'One or more servers of the cluster: nats://HOST:PORT, or tls://HOST:PORT. They are tried in random order.',
      serverUrl({
        schemes: ['nats', 'tls'],
        example: 'nats://127.0.0.1:4222',
        several: 'write them as a list, [nats://n1:4222, nats://n2:4222]',
      }),
      MAX_SERVERS,
    ),
    credentials: file('the credentials')
      .exactOptional()
      .describe('A .creds file, as nsc makes them. A relative path starts at the folder of this file.'),
    user: text.exactOptional().describe('The user to log in as, with password_file.'),
    password_file: file('the password').exactOptional().describe(PASSWORD_FILE),
    token_file: file('the token').exactOptional().describe('File that holds the token to log in with.'),
    ...tlsFiles,
    stream: natsName('slipway', 'the stream').describe(
      'JetStream stream for messages of QoS 1 and 2: made, or given their subjects, if no stream has them yet.',
    ),
    last_values: z
      .union([natsName('slipway', 'the bucket'), z.literal(false)], {
        error: 'must be the name of a bucket, or false for none',
      })
      .prefault('slipway')
      .describe('JetStream key-value bucket for last values, made if it is not there; false for none.'),
    replicas: count(1, MAX_REPLICAS)
      .prefault(1)
      .describe('Of what it makes: how many servers have a copy of it.'),
    max_age: duration(1000, MANY_DAYS_MS)
      .prefault('7d')
      .describe('Of the stream, if it makes it: how long messages stay there; 0 for no limit.'),
    max_bytes: size(1024, MUCH)
      .prefault('1 GiB')
      .describe('Of the stream, if it makes it: the bytes of all messages; beyond them the oldest go.'),
    duplicate_window: duration(1000, DAY_MS)
      .prefault('10m')
      .describe(
        'Of the stream, if it makes it: how long it knows a message that is sent again; 0 for what the server takes by itself (2m).',
      ),
  })
  .superRefine(natsLogin, whenRead)
  .superRefine((read: Written, context) => bothOrNone(read, 'cert', 'key', context), whenRead)
  .superRefine(({ max_age, duplicate_window }, context) => {
    if (max_age === 0 || duplicate_window <= max_age) return;
    const message = 'cannot be longer than max_age: a message that is gone is not known any more';
    context.addIssue({ code: 'custom', path: ['duplicate_window'], message });
  });

function natsName(standard: string, what: string) {
  return z
    .string()
    .regex(NATS_NAME, { error: `must be the name of ${what}: 1 to 64 of the characters A-Z a-z 0-9 _ -` })
    .prefault(standard);
}

function natsLogin(read: Written, context: Context): void {
  bothOrNone(read, 'user', 'password_file', context);
  const ways = (['credentials', 'user', 'token_file'] as const).filter((key) => read[key] !== undefined);
  if (ways.length < 2) return;
  context.addIssue({ code: 'custom', message: `logs in with ${ways.join(' and ')}: keep one` });
}

export const mqttUpstream = z
  .strictObject({
    url: serverUrl({
      schemes: ['mqtt', 'mqtts', 'ws', 'wss'],
      example: 'mqtt://127.0.0.1:1883',
      several: 'a bridge has one, so give each a bridge of its own',
    }).describe('The broker: mqtt://, mqtts://, ws:// or wss://HOST:PORT.'),
    client_id: text
      .exactOptional()
      .describe(
        'The name of its session at the broker, which no other client has: slipway-<gateway>-<bridge> unless given.',
      ),
    username: text.exactOptional().describe('The user to log in as.'),
    password_file: file('the password').exactOptional().describe(PASSWORD_FILE),
    ...tlsFiles,
    version: z.literal([5, '3.1.1']).prefault(5).describe('The version of MQTT that is spoken.'),
    keep_alive: duration(1000, MAX_KEEP_ALIVE_MS)
      .prefault('30s')
      .describe(
        'After how long without a word the broker is asked whether it is there; 0 for never: then one that is gone without a word is not missed.',
      ),
    session_expiry: duration(1000, MAX_SESSION_EXPIRY_MS)
      .prefault('7d')
      .describe(
        'How long the broker keeps what it could not deliver while this gateway was away; 0 for not at all. Version 3.1.1 cannot say it: the broker decides.',
      ),
  })
  .superRefine(mqttSecurity, whenRead);

function mqttSecurity(read: Written, context: Context): void {
  bothOrNone(read, 'cert', 'key', context);
  const { username, password_file: password, url } = read;
  if (password !== undefined && username === undefined)
    context.addIssue({ code: 'custom', path: ['username'], message: 'is missing: password_file needs it' });
  if (typeof url !== 'string' || !/^(mqtt|ws):/.test(url)) return;
  for (const key of TLS_KEYS) {
    const message = `is for an encrypted connection: write ${url.replace(':', 's:')} as url, or leave this out`;
    if (read[key] !== undefined) context.addIssue({ code: 'custom', path: [key], message });
  }
}
