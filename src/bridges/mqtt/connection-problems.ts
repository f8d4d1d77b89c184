import { codeOf, reasonOf } from '../../errors.js';
import { MalformedPacket } from '../../mqtt/wire/malformed.js';
import type { UpstreamError } from '../upstream.js';
import { NotMqtt } from './packet-splitter.js';
import { type Problem, problemAt, type Where } from './problems.js';

/** Why a connection did not come about, or broke. `error`: what the system said; undefined: the broker just closed it. */
export function connectionProblem(where: Where, error: Error | undefined, connected: boolean): UpstreamError {
  const [code, text] = error === undefined ? closed(where, connected) : broken(where, error, connected);
  return problemAt(where, code, text, error);
}

/** Whether who was connected was cut off, rather than out of reach. `error`: as for `connectionProblem`. */
export function isCut(error: Error | undefined): boolean {
  return error === undefined || codeOf(error) === 'ECONNRESET' || codeOf(error) === 'EPIPE';
}

function closed({ server, clientId, version }: Where, connected: boolean): Problem {
  if (!connected) {
    const [, scheme = '', secure = ''] = /^(mqtt|ws)(s?):/.exec(server) ?? [];
    const port = scheme === 'ws' ? "of a broker's WebSocket" : 'of an MQTT broker';
    const mend = secure
      ? `, and one with TLS (else write ${withoutTls(server)})`
      : `, or of one that wants TLS (${scheme}s://)`;
    const bridge = version === 5 ? '' : '; a broker that takes no bridges needs "version: 5"';
    return [
      'unreachable',
      `it closed the connection without an answer: check that it is the port ${port}${mend}${bridge}`,
    ];
  }
  // 3.1.1 has no word for it, and mosquitto says it neither in 5.
  return ['unreachable', `it closed the connection (or another client has the client_id ${clientId} too)`];
}

function broken(where: Where, error: Error, connected: boolean): Problem {
  const { host, server } = where;
  if (error instanceof NotMqtt || error instanceof MalformedPacket)
    return [
      'unsuitable',
      `it does not speak MQTT (${error.message}): check host and port${webSocket(error)}`,
    ];
  const code = tlsCode(error) ?? codeOf(error);
  switch (code) {
    // Some brokers answer a TLS handshake on a port without TLS so.
    case 'ECONNRESET':
      return closed(where, connected);
    case 'ECONNREFUSED':
      return ['unreachable', 'connection refused: check that the broker runs, and host and port'];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return ['unreachable', `the name "${host}" was not found: check it, or use an address`];
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return ['unreachable', 'there is no way to that address: check it, and the network'];
    case 'ETIMEDOUT':
      return ['unreachable', 'no answer: check the address, and that nothing on the way blocks it'];
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return ['certificate', 'its certificate is signed by nobody whom we trust: name who signed it (ca)'];
    case 'CERT_HAS_EXPIRED':
      return ['certificate', 'its certificate has expired: renew it, or check the clock'];
    case 'CERT_NOT_YET_VALID':
      return ['certificate', 'its certificate is not valid yet: check the clock'];
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return [
        'certificate',
        `its certificate is for another name than ${host}: use that as host, or name it (servername)`,
      ];
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return ['unsuitable', `it does not speak TLS there: write ${withoutTls(server)}, or another port`];
  }
  if (/^ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/.test(code))
    return ['certificate', 'it does not accept our certificate, or wants one: check cert and key'];
  const status = /^Unexpected server response: (\d+)/.exec(error.message)?.[1];
  if (status !== undefined)
    return [
      'unsuitable',
      `there is no WebSocket (HTTP status ${status}): check the path of the URL, often /mqtt`,
    ];
  if (/^Server sent (no|an invalid) subprotocol/.test(error.message))
    return ['unsuitable', 'the WebSocket there is not one of MQTT: check the path of the URL, often /mqtt'];
  // What the parser of Node says of who does not answer as a web server does.
  if (code.startsWith('HPE_')) return ['unsuitable', 'it speaks no WebSocket: check host and port'];
  return ['unreachable', reasonOf(error).trim().replace(/\s+/g, ' ')];
}

/** An error of TLS while it begins, under WebSocket, is EPROTO, and what happened is only in its text. */
function tlsCode(error: Error): string | undefined {
  const [, what] = /:SSL routines:[^:]*:([^:]+):/.exec(error.message) ?? [];
  return codeOf(error) === 'EPROTO' && what
    ? `ERR_SSL_${what.toUpperCase().replaceAll(' ', '_')}`
    : undefined;
}

function webSocket({ message }: Error): string {
  return message.includes('"HTTP/') ? ', or write ws:// or wss:// if it is that of a WebSocket' : '';
}

function withoutTls(server: string): string {
  return server.replace('s:', ':');
}
