import { isIP } from 'node:net';
import { z } from 'zod';
import { patternProblem } from '../wire/channels.js';
import { list, oneManyOrOff, oneOrOff, section } from './forms.js';
import { count } from './quantities.js';
import { noRepeats, notTheGateways, textOf } from './rules.js';

const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9.])?$/;

/** Whether it is an IP address or could be the name of a host. */
export function isHost(text: string): boolean {
  return isIP(text) !== 0 || HOST_NAME.test(text);
}

const host = z
  .string()
  .superRefine((text, context) => {
    if (isHost(text)) return;
    context.addIssue({
      code: 'custom',
      message: `"${text}" is neither an IP address nor a host name (0.0.0.0 or "::" listen on every address)`,
    });
  })
  .prefault('127.0.0.1')
  .describe(
    'Address to listen on. 0.0.0.0 or "::" for every address of the machine; where other machines can reach it, access says who may do what.',
  );

const anyPort = count(0, 65_535);
const port = anyPort.prefault(7770).describe('Port to listen on; 0 lets the system pick one.');

const maxConnections = count(1, 1_000_000)
  .prefault(1000)
  .describe('Connections open at once; more are closed at once and counted.');

const pemFile = (what: string) =>
  z
    .string({
      error: ({ input }) => (input === undefined ? `is missing: name the PEM file of ${what}` : undefined),
    })
    .min(1, { error: `cannot be empty: name the PEM file of ${what}` });

const tls = oneOrOff(
  'Encryption with TLS 1.2 or newer: off, or the files of it (PEM; a relative path starts at the folder of this file). They are read again on SIGHUP.',
  z.strictObject({
    cert: pemFile('the certificate').describe('The certificate, and what its chain needs behind it.'),
    key: pemFile('the private key').describe('Its private key, without a passphrase.'),
    client_ca: pemFile('the authority')
      .exactOptional()
      .describe(
        'Who signs the certificates of clients: then each must show one, whose common name is the user that it is.',
      ),
  }),
);

const oneShot = z.strictObject({
  channels: z
    .array(textOf(patternProblem).superRefine(notTheGateways))
    .min(1, { error: 'needs at least one pattern' })
    .describe('Patterns of the channels that may be emitted on.'),
  from: z
    .array(z.string().superRefine(addressOrRange))
    .min(1, { error: 'needs at least one address; leave the key out to take them from anywhere' })
    .prefault(['0.0.0.0/0', '::/0'])
    .describe('Addresses, or ranges like 192.168.4.0/24, that they are taken from.'),
});

const tcp = z.strictObject({ host, port, max_connections: maxConnections, tls });

/** The port that IANA has for the protocol, unless another is given. */
const usualPort =
  <Entry extends { port?: number | undefined; tls: unknown }>(plain: number, encrypted: number) =>
  (entry: Entry) => ({ ...entry, port: entry.port ?? (entry.tls ? encrypted : plain) });

const mqtt = z
  .strictObject({
    host,
    port: anyPort
      .optional()
      .describe('Port to listen on: 1883, or 8883 with tls, unless given; 0 lets the system pick one.'),
    max_connections: maxConnections,
    tls,
  })
  .transform(usualPort(1883, 8883));

const ws = z.strictObject({
  host,
  port: anyPort.prefault(9001).describe('Port to listen on; 0 lets the system pick one.'),
  max_connections: maxConnections,
  origins: list(
    'Web sites whose pages may connect, as https://dash.example; "*" for all. A browser says which site a page is from; programs say none, and may connect.',
    z.string().superRefine(origin),
  ),
  tls,
});

const udp = z.strictObject({
  host,
  port,
  one_shot: oneOrOff(
    'Single datagrams from sensors that open no session (PROTOCOL.md §5.5): off, or which channels they may emit on.',
    oneShot,
  ),
});

/** Port 0 never clashes: each time the system picks a free one. */
function socketOf({ host, port: number }: { host: string; port: number }): string | undefined {
  return number === 0 ? undefined : `${host} ${number}`;
}

const ALONE = noRepeats(socketOf, 'listens on the same address and port as');

export const listen = section('Where peers can reach the gateway over the network.', {
  tcp: oneManyOrOff('TCP: one entry, a list of them, or false for off.', tcp, 'defaults', ALONE),
  udp: oneManyOrOff('UDP: one entry, a list of them, or false for off.', udp, 'defaults', ALONE),
  mqtt: oneManyOrOff('MQTT 3.1.1 and 5.0: one entry, a list of them, or false for off.', mqtt, 'off', ALONE),
  ws: oneManyOrOff(
    'WebSocket, for MQTT (subprotocol "mqtt") and Slipway (subprotocol "slipway"): one entry, a list of them, or false for off.',
    ws,
    'off',
    ALONE,
  ),
});

/** Refuses two listeners for connections, of different protocols, on one address and port. The config may be wrong elsewhere. */
export function onePortEach(config: { readonly listen?: unknown }, context: z.core.$RefinementCtx): void {
  if (typeof config.listen !== 'object' || config.listen === null) return;
  const listen = config.listen as Readonly<Record<string, unknown>>;
  const taken = new Map<string, string>();
  for (const kind of ['tcp', 'mqtt', 'ws']) {
    const entries = listen[kind];
    if (!Array.isArray(entries)) continue;
    const sockets = entries.map((entry) => (isListener(entry) ? socketOf(entry) : undefined));
    for (const [index, socket] of sockets.entries()) {
      const other = socket === undefined ? undefined : taken.get(socket);
      if (other === undefined) continue;
      const message = `listen.${other} is on the same address and port: give one of them another`;
      context.addIssue({ code: 'custom', path: ['listen', kind, index, 'port'], message });
    }
    for (const socket of sockets) if (socket !== undefined) taken.set(socket, kind);
  }
}

function isListener(entry: unknown): entry is { host: string; port: number } {
  if (typeof entry !== 'object' || entry === null) return false;
  return (
    'host' in entry && typeof entry.host === 'string' && 'port' in entry && typeof entry.port === 'number'
  );
}

function addressOrRange(text: string, context: z.core.$RefinementCtx<string>): void {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  const longest = family === 4 ? 32 : 128;
  const fits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest);
  if (family !== 0 && fits && rest.length === 0) return;
  const message = `"${text}" is neither an address (192.168.4.7) nor a range (192.168.4.0/24)`;
  context.addIssue({ code: 'custom', message });
}

function origin(text: string, context: z.core.$RefinementCtx<string>): void {
  if (text === '*' || text === 'null' || (URL.canParse(text) && new URL(text).origin === text)) return;
  const message = `"${text}" is not how a browser names a web site: https://dash.example or http://192.168.4.7:8080, without a path`;
  context.addIssue({ code: 'custom', message });
}
