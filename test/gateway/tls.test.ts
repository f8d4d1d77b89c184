import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TlsOptions } from '../../src/client/options.js';
import { parseConfig } from '../../src/config/load.js';
import { CertificateMaker, type KeyPair } from '../support/certificates.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { describeWithTools } from '../support/tools.js';

describeWithTools(['openssl'], 'a gateway with TLS', () => {
  let maker: CertificateMaker;
  let authority: KeyPair;
  let server: KeyPair;
  let ca: Buffer;

  beforeAll(() => {
    maker = new CertificateMaker();
    authority = maker.authority('ca');
    server = maker.server('server', authority);
    ca = readFileSync(authority.cert);
  });
  afterAll(() => maker.remove());

  const clientOf = (name: string): TlsOptions => {
    const { cert, key } = maker.client(name, authority);
    return { ca, cert: readFileSync(cert), key: readFileSync(key) };
  };
  const configOf = (listen: object, more: object = {}) =>
    parseConfig(JSON.stringify({ version: 1, listen: { udp: { port: 0 }, ...listen }, ...more }), 'test', {});

  it('serves clients that trust it, and says so', async () => {
    const { tcp, log } = await startGateway({ listen: { tcp: { port: 0, tls: server } } });
    expect(log.map(({ msg }) => msg)).toContain(`listening on TCP 127.0.0.1 port ${tcp.port}, with TLS`);
    const got: string[] = [];
    const one = await connectTo(tcp, { tls: { ca } });
    await one.subscribe('x', ({ text }) => void got.push(text));
    const other = await connectTo({ ...tcp, host: 'localhost' }, { tls: { ca } });
    await other.emit('x', 'y'.repeat(200_000));
    await until(() => expect(got.map(({ length }) => length)).toEqual([200_000]));
  });

  it('says to a client what is wrong', async () => {
    const { tcp } = await startGateway({ listen: { tcp: { port: 0, tls: server } } });
    await expect(connectTo(tcp, { tls: true })).rejects.toThrow(
      `no gateway at 127.0.0.1:${tcp.port}: its certificate is signed by nobody whom we trust: name who signed it (tls.ca, or --ca FILE)`,
    );
    await expect(connectTo(tcp, { tls: { ca, servername: 'elsewhere.example' } })).rejects.toThrow(
      /does not match certificate's altnames.*: connect to the name that it has, or name that \(tls\.servername/,
    );
    await expect(connectTo(tcp, { timeoutMs: 300 })).rejects.toThrow(/did not answer within 300 ms/);
    await expect(connectTo(tcp, { tls: { ca, cert: 'none', key: 'none' } })).rejects.toThrow(
      'tls: the certificate or key cannot be used: ',
    );
    await expect(connectTo(tcp, { tls: { ca, cert: 'none' } })).rejects.toThrow(
      'tls.cert and tls.key belong together',
    );
    await expect(connectTo(tcp, { tls: { servernam: 'x' } as TlsOptions })).rejects.toThrow(
      'tls has no option servernam (did you mean "servername"?)',
    );
    const plain = await startGateway();
    await expect(connectTo(plain.tcp, { tls: { ca }, timeoutMs: 300 })).rejects.toMatchObject({
      code: 'connect_failed',
    });
  });

  it('lets in who shows a certificate, where it wants one', async () => {
    const tls = { ...server, client_ca: authority.cert };
    const { tcp, count } = await startGateway({ listen: { tcp: { port: 0, tls } } });
    const client = await connectTo(tcp, { tls: clientOf('ada') });
    await client.emit('x', 'y');
    await expect(connectTo(tcp, { tls: { ca }, timeoutMs: 2000 })).rejects.toThrow(
      'Or does it want a certificate (tls.cert, tls.key)?',
    );
    expect(count('tcp.refused.tls')).toBeGreaterThan(0);
  });

  it('does not start with files that cannot be used', async () => {
    const tls = { cert: server.cert, key: authority.key };
    await expect(startGateway({ listen: { tcp: [{ port: 0 }, { port: 0, tls }] } })).rejects.toMatchObject({
      code: 'tls_unusable',
      message: `listen.tcp[1].tls.key: ${authority.key}: is not the key of the certificate in ${server.cert}`,
    });
  });

  it('takes on new certificates without dropping anybody, and keeps the old ones if one is bad', async () => {
    const cert = join(maker.folder, 'live.pem');
    const key = join(maker.folder, 'live.key');
    const install = (pair: KeyPair) => {
      copyFileSync(pair.cert, cert);
      copyFileSync(pair.key, key);
    };
    install(server);
    const listen = { tcp: { port: 0, tls: { cert, key } } };
    const { gateway, tcp } = await startGateway({ listen });
    const standing = await connectTo(tcp, { tls: { ca } });
    const lost: string[] = [];
    standing.on('disconnected', ({ reason }) => void lost.push(reason));

    const successor = maker.authority('successor');
    install(maker.server('renewed', successor));
    expect(await gateway.reload(configOf(listen))).toEqual([]);
    const next = { ca: readFileSync(successor.cert) };
    await connectTo(tcp, { tls: next });
    await expect(connectTo(tcp, { tls: { ca } })).rejects.toThrow('signed by nobody whom we trust');

    writeFileSync(key, 'damaged');
    await expect(gateway.reload(configOf(listen))).rejects.toMatchObject({ code: 'tls_unusable' });
    await connectTo(tcp, { tls: next });
    await standing.emit('x', 'y');
    expect(lost).toEqual([]);
  });

  it('can be made to want certificates of its clients while it runs', async () => {
    const { gateway, tcp } = await startGateway({ listen: { tcp: { port: 0, tls: server } } });
    await connectTo(tcp, { tls: { ca } });
    const tls = { ...server, client_ca: authority.cert };
    expect(await gateway.reload(configOf({ tcp: { port: 0, tls } }))).toEqual([]);
    await connectTo(tcp, { tls: clientOf('grace') });
    await expect(connectTo(tcp, { tls: { ca }, timeoutMs: 2000 })).rejects.toThrow('want a certificate');
  });
});
