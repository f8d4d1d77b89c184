import { codeOf, reasonOf, SlipwayError } from '../errors.js';

/** An IPv4 peer of a socket for both families shows as ::ffff:192.0.2.7. */
export function plainHost(host: string): string {
  return host.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** What listens on the network: each a key of `listen` in the config. */
export type EndpointKind = 'tcp' | 'udp' | 'mqtt' | 'ws';

/** A network address as it stands in logs: `tcp:127.0.0.1:7770`, `udp:[::1]:7770`. */
export function endpointName(kind: EndpointKind, host: string, port: number): string {
  const plain = plainHost(host);
  return `${kind}:${plain.includes(':') ? `[${plain}]` : plain}:${port}`;
}

/** Why a socket cannot listen, with the mend. Its code is `listen_failed`. */
export function listenError(kind: EndpointKind, host: string, port: number, error: unknown): SlipwayError {
  return new SlipwayError(
    'listen_failed',
    `cannot listen on ${endpointName(kind, host, port)}: ${problem(error)}`,
    {
      cause: error,
    },
  );

  function problem(failure: unknown): string {
    const setting = `listen.${kind}`;
    switch (codeOf(failure)) {
      case 'EADDRINUSE':
        return `the port is taken: stop the program that listens there, or give ${setting} another port`;
      case 'EACCES':
        return `not permitted: give ${setting} a port from 1024 on, or this program the right to use lower ones`;
      case 'EADDRNOTAVAIL':
        return `this machine has no such address: give ${setting} one that it has, or 0.0.0.0 for all`;
      case 'ENOTFOUND':
      case 'EAI_AGAIN':
        return `the name "${host}" was not found: check it, or give ${setting} an address`;
      case 'EAFNOSUPPORT':
        return `this machine does not have that kind of address: give ${setting} another host`;
      default:
        return reasonOf(failure);
    }
  }
}
