import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** PEM files. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

const THIS_MACHINE = ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];

/** Makes certificates in a folder of its own, with the `openssl` program (3.0 or newer). */
export class CertificateMaker {
  readonly folder = mkdtempSync(join(tmpdir(), 'slipway-certificates-'));

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  authority(name: string): KeyPair {
    return this.#make(name, ['-subj', `/CN=${name}`]);
  }

  /** For a server on this machine. */
  server(name: string, authority: KeyPair): KeyPair {
    return this.#make(name, [...signedBy(authority), '-subj', `/CN=${name}`, ...THIS_MACHINE]);
  }

  selfSigned(name: string): KeyPair {
    return this.#make(name, ['-subj', `/CN=${name}`, ...THIS_MACHINE]);
  }

  /** `subject` as openssl has it: `/CN=ada`. `name` is that of the files. */
  client(name: string, authority: KeyPair, subject = `/CN=${name}`): KeyPair {
    return this.#make(name, [...signedBy(authority), '-subj', subject]);
  }

  #make(name: string, args: readonly string[]): KeyPair {
    const pair = { cert: join(this.folder, `${name}.pem`), key: join(this.folder, `${name}.key`) };
    const files = ['-keyout', pair.key, '-out', pair.cert];
    execFileSync('openssl', ['req', '-x509', ...NEW_KEY, ...files, ...args], { stdio: 'pipe' });
    return pair;
  }
}

function signedBy({ cert, key }: KeyPair): string[] {
  return ['-CA', cert, '-CAkey', key, '-addext', 'basicConstraints=critical,CA:FALSE'];
}
