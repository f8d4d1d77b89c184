import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CertificateMaker, type KeyPair } from '../support/certificates.js';
import { freePort, startGateway } from '../support/gateways.js';
import { slipway } from '../support/programs.js';
import { describeWithTools } from '../support/tools.js';

describeWithTools(['openssl'], 'commands over TLS', () => {
  let maker: CertificateMaker;
  let authority: KeyPair;
  let server: KeyPair;
  let ada: KeyPair;

  beforeAll(() => {
    maker = new CertificateMaker();
    authority = maker.authority('ca');
    server = maker.server('server', authority);
    ada = maker.client('ada', authority);
  });
  afterAll(() => maker.remove());

  async function ended(args: readonly string[]) {
    const program = slipway(args);
    const { code } = await program.ended;
    return { code, stdout: program.stdout, stderr: program.stderr };
  }

  it('take certificates from flags and from a profile', async () => {
    const tls = { ...server, client_ca: authority.cert };
    const { gateway, tcp } = await startGateway({ listen: { tcp: { port: 0, tls } } });
    gateway.emit('x', 'kept', { retain: true });
    const profile = join(maker.folder, 'profile.yaml');
    writeFileSync(profile, `port: ${tcp.port}\nca: ca.pem\ncert: ada.pem\nkey: ada.key\n`);
    chmodSync(profile, 0o600);
    const flags = ['--ca', authority.cert, '--cert', ada.cert, '--key', ada.key];
    const [emitted, heard] = await Promise.all([
      ended(['emit', 'y', 'z', '--port', String(tcp.port), ...flags]),
      ended(['sub', 'x', '--count', '1', '--profile', profile]),
    ]);
    expect(emitted).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(heard).toEqual({ code: 0, stdout: 'x\tkept\n', stderr: '' });
  });

  it('say what is missing', async () => {
    const { tcp } = await startGateway({ listen: { tcp: { port: 0, tls: server } } });
    const port = ['--port', String(tcp.port)];
    const [untrusted, misnamed, none] = await Promise.all([
      ended(['emit', 'y', 'z', ...port, '--tls']),
      ended(['emit', 'y', 'z', ...port, '--ca', authority.cert, '--servername', 'gateway.example']),
      ended(['emit', 'y', 'z', ...port, '--ca', '/is/not/there.pem']),
    ]);
    expect(untrusted).toMatchObject({ code: 1, stderr: expect.stringContaining('(tls.ca, or --ca FILE)') });
    expect(misnamed).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("does not match certificate's altnames"),
    });
    expect(none).toMatchObject({
      code: 2,
      stderr: 'slipway: --ca /is/not/there.pem: there is no such file\n',
    });
  });

  it('doctor believes a gateway that has the certificate of the config, and says what is wrong with one', async () => {
    const port = await freePort();
    // Signed by itself, as many are.
    const own = maker.selfSigned('own');
    const config = join(maker.folder, 'doctor.yaml');
    const write = (cert: string) =>
      writeFileSync(
        config,
        `version: 1\nlisten:\n  tcp: { port: ${port}, tls: { cert: ${cert}, key: ${own.key} } }\n  udp: false\n`,
      );
    write(own.cert);
    await startGateway({ listen: { tcp: { port, tls: own } } });
    const good = await ended(['doctor', '-c', config]);
    expect(good.stdout).toMatch(new RegExp(`ok +gateway +runs, at 127.0.0.1 port ${port}\n`));
    expect(good.code).toBe(0);
    write(server.cert);
    const bad = await ended(['doctor', '-c', config]);
    expect(bad.stdout).toMatch(
      /PROBLEM +tls +\S+\/doctor\.yaml:3:\d+: listen\.tcp\.tls\.key: .*is not the key of the certificate in/,
    );
    expect(bad.code).toBe(2);
  });
});
