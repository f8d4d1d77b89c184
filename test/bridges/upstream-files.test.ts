import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UpstreamError } from '../../src/bridges/upstream.js';
import { checkBridgeFiles, type NamedFiles, readUpstreamFiles } from '../../src/bridges/upstream-files.js';
import { shown } from '../../src/config/document.js';
import { parseConfig } from '../../src/config/load.js';
import { CertificateMaker, type KeyPair } from '../support/certificates.js';
import { describeWithTools } from '../support/tools.js';

const CREDENTIALS = `-----BEGIN NATS USER JWT-----
eyJ0eXAi
------END NATS USER JWT------
-----BEGIN USER NKEY SEED-----
SUAxyz
------END USER NKEY SEED------
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-upstream-files-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function secret(name: string, text: string, mode = 0o600): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  await chmod(file, mode);
  return file;
}

async function problem(files: NamedFiles): Promise<string> {
  const error = await readUpstreamFiles(files, (key) => `bridges[0].nats.${key}`).catch(
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof UpstreamError)) return expect.unreachable(String(error));
  return `${error.code} ${error.message.replaceAll(`${folder}/`, '')}`;
}

describe('the files of a bridge', () => {
  it('are none, or hold what logs it in, less the end of the line', async () => {
    expect(await readUpstreamFiles({})).toMatchObject({ password: undefined, ca: undefined, warnings: [] });
    const read = await readUpstreamFiles({
      credentials: await secret('a.creds', CREDENTIALS),
      password_file: await secret('password', ' two words \r\n'),
      token_file: await secret('token', 'abc'),
    });
    expect(read.credentials?.toString()).toBe(CREDENTIALS);
    expect([read.password, read.token, read.warnings]).toEqual([' two words ', 'abc', []]);
  });

  it('are said to be missing, empty or others', async () => {
    expect(await problem({ password_file: join(folder, 'none') })).toBe(
      'login_refused bridges[0].nats.password_file: none: there is no such file',
    );
    expect(await problem({ token_file: await secret('empty', '\n') })).toBe(
      'login_refused bridges[0].nats.token_file: empty: is empty: it should hold the secret',
    );
    expect(await problem({ token_file: await secret('large', 'x'.repeat(100_000)) })).toBe(
      'login_refused bridges[0].nats.token_file: large: has 100000 bytes: it should hold a secret and nothing else',
    );
    expect(await problem({ credentials: await secret('password', 'hunter2') })).toBe(
      'login_refused bridges[0].nats.credentials: password: is no .creds file, as nsc makes them',
    );
    expect(await problem({ ca: join(folder, 'none.pem') })).toBe(
      'certificate bridges[0].nats.ca: none.pem: there is no such file',
    );
    expect(await problem({ password_file: folder })).toMatch(/: is a directory, not a file$/);
  });

  it('are named as the settings where there is no more to say', async () => {
    await expect(readUpstreamFiles({ ca: '/none.pem' })).rejects.toThrow(
      'ca: /none.pem: there is no such file',
    );
  });

  it.skipIf(process.platform === 'win32')('are warned of when everyone can read them', async () => {
    const file = await secret('open', 'x', 0o644);
    const { warnings } = await readUpstreamFiles({ password_file: file });
    expect(warnings).toEqual([
      `password_file: ${file}: everyone on this machine can read it or write into it: chmod o= ${file}`,
    ]);
  });

  it('of all bridges are checked', async () => {
    const password = await secret('password', 'x');
    const open = await secret('open', 'x', 0o606);
    const rules = 'rules: [{ pattern: a, direction: out }]';
    const check = (last: string) =>
      checkBridgeFiles(
        parseConfig(
          `version: 1
gateway: a
bridges:
  - { name: a, nats: { servers: nats://a, token_file: ${open} }, ${rules} }
  - { name: b, mqtt: { url: mqtt://a, username: a, password_file: ${last} }, ${rules} }`,
          'FILE',
          {},
        ).bridges,
        shown,
      );
    const readable = expect.stringMatching(
      /^bridges\[0\]\.nats\.token_file: .*open: everyone on this machine can read it/,
    );
    expect(await check(password)).toEqual({ problems: [], warnings: [readable] });
    expect(await check('/none')).toEqual({
      problems: ['bridges[1].mqtt.password_file: /none: there is no such file'],
      warnings: [readable],
    });
  });
});

describeWithTools(['openssl'], 'the certificates of a bridge', () => {
  let maker: CertificateMaker;
  let authority: KeyPair;
  let own: KeyPair;
  beforeAll(() => {
    maker = new CertificateMaker();
    authority = maker.authority('ca');
    own = maker.client('site1', authority);
  });
  afterAll(() => maker.remove());

  it('are read', async () => {
    const { ca, cert, key, warnings } = await readUpstreamFiles({ ...own, ca: authority.cert });
    expect(ca).toBe(await readFile(authority.cert, 'utf8'));
    expect(cert).toBe(await readFile(own.cert, 'utf8'));
    expect(key).toBe(await readFile(own.key, 'utf8'));
    expect(warnings).toEqual([]);
  });

  it('that do not belong together, or are none, are said to be so', async () => {
    expect(await problem({ cert: own.cert, key: authority.key })).toMatch(
      /^certificate bridges\[0\]\.nats\.key: .*ca\.key: is not the key of the certificate in .*site1\.pem$/,
    );
    expect(await problem({ ca: own.key })).toMatch(
      /^certificate bridges\[0\]\.nats\.ca: .*: holds no certificate/,
    );
  });

  it('that have expired are warned of', async () => {
    const later = Date.now() + 4 * 86_400_000;
    const { warnings } = await readUpstreamFiles({ ...own, ca: authority.cert }, undefined, later);
    expect(warnings).toEqual([
      expect.stringMatching(/^ca: .*ca\.pem: the certificate of CN=ca expired on .*: renew it$/),
      expect.stringMatching(/^cert: .*site1\.pem: the certificate of CN=site1 expired on .*: renew it$/),
    ]);
  });
});
