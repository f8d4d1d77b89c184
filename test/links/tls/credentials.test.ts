import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCredentials, type TlsFiles } from '../../../src/links/tls/credentials.js';
import { CertificateMaker, type KeyPair } from '../../support/certificates.js';
import { describeWithTools } from '../../support/tools.js';

const DAY_MS = 86_400_000;

describeWithTools(['openssl'], 'readCredentials', () => {
  let maker: CertificateMaker;
  let authority: KeyPair;
  let server: KeyPair;
  let files: TlsFiles;

  beforeAll(() => {
    maker = new CertificateMaker();
    authority = maker.authority('ca');
    server = maker.server('server', authority);
    files = { ...server, client_ca: authority.cert };
  });
  afterAll(() => maker.remove());

  const read = (changed: Partial<TlsFiles>, now?: number) =>
    readCredentials((key) => `listen.mqtt.tls.${key}`, { ...files, ...changed }, now);
  const problem = (changed: Partial<TlsFiles>) =>
    read(changed).then(
      () => 'none',
      ({ code, message }) => `${code} ${message.replaceAll(`${maker.folder}/`, '')}`,
    );
  const fileOf = (name: string, content: string) => {
    const file = join(maker.folder, name);
    writeFileSync(file, content);
    return file;
  };

  it('reads what belongs together, chain and all', async () => {
    const cert = fileOf(
      'chain.pem',
      `Bag Attributes\n${readFileSync(server.cert, 'utf8')}\n${readFileSync(authority.cert, 'utf8')}`,
    );
    const { credentials, warnings } = await read({ cert });
    expect(warnings).toEqual([]);
    expect(credentials).toEqual({
      cert: readFileSync(cert, 'utf8'),
      key: readFileSync(server.key, 'utf8'),
      clientCa: readFileSync(authority.cert, 'utf8'),
    });
    const { client_ca: _, ...own } = files;
    expect((await readCredentials((key) => key, own)).credentials.clientCa).toBeUndefined();
  });

  it('says which file is not there, or cannot be read', async () => {
    expect(await problem({ cert: join(maker.folder, 'none.pem') })).toBe(
      'tls_unusable listen.mqtt.tls.cert: none.pem: there is no such file',
    );
    expect(await problem({ client_ca: maker.folder })).toMatch(/client_ca: .*: is a directory, not a file$/);
    const secret = fileOf('secret.key', readFileSync(server.key, 'utf8'));
    chmodSync(secret, 0);
    // The permissions of a file do not hold root back: for a moment it is someone else.
    const root = process.getuid?.() === 0;
    chmodSync(maker.folder, 0o755);
    if (root) process.seteuid?.(65534);
    const said = await problem({ cert: authority.cert, key: secret }).finally(
      () => root && process.seteuid?.(0),
    );
    expect(said).toBe(
      'tls_unusable listen.mqtt.tls.key: secret.key: permission denied: it must be readable by the user that runs slipway',
    );
  });

  it('says what is wrong with what the files hold', async () => {
    expect(await problem({ key: authority.key })).toBe(
      'tls_unusable listen.mqtt.tls.key: ca.key: is not the key of the certificate in '.concat(
        `${server.cert.slice(maker.folder.length + 1)}`,
      ),
    );
    expect(await problem({ cert: server.key })).toContain(
      'cert: server.key: holds no certificate: it needs one in PEM',
    );
    expect(await problem({ key: server.cert })).toContain(
      'key: server.pem: holds no private key: it needs one in PEM',
    );
    expect(await problem({ client_ca: fileOf('empty.pem', '') })).toContain(
      'client_ca: empty.pem: holds no certificate',
    );
    const damaged = readFileSync(server.cert, 'utf8').replace(/\n..../, '\nAAAA');
    expect(await problem({ cert: fileOf('damaged.pem', damaged) })).toContain(
      'cert: damaged.pem: certificate 1 in it is damaged: ',
    );
    const locked = join(maker.folder, 'locked.key');
    execFileSync('openssl', ['ec', '-in', server.key, '-aes256', '-passout', 'pass:secret', '-out', locked], {
      stdio: 'pipe',
    });
    expect(await problem({ key: locked })).toContain(
      'key: locked.key: has a passphrase: store the key without one',
    );
  });

  it('refuses a key that is too weak for any client', async () => {
    const weak = { cert: join(maker.folder, 'weak.pem'), key: join(maker.folder, 'weak.key') };
    const rsa = ['req', '-x509', '-newkey', 'rsa:512', '-nodes', '-keyout', weak.key, '-out', weak.cert];
    execFileSync('openssl', [...rsa, '-subj', '/CN=weak'], { stdio: 'pipe' });
    expect(await problem(weak)).toMatch(/cert: weak\.pem: cannot be used: .*key too small/);
  });

  it('warns of certificates that have expired, or are not valid yet', async () => {
    const { warnings } = await read({}, Date.now() + 3 * DAY_MS);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^listen\.mqtt\.tls\.cert: .*the certificate of CN=server expired on .* GMT: renew it$/,
      ),
      expect.stringMatching(
        /^listen\.mqtt\.tls\.client_ca: .*the certificate of CN=ca expired on .* GMT: renew it$/,
      ),
    ]);
    const early = await read({}, Date.now() - DAY_MS);
    expect(early.warnings[0]).toMatch(/of CN=server is not valid before .* GMT: is the clock right\?$/);
  });
});
