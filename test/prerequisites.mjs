// What the tests need beyond npm: installed here where that may be done, named otherwise.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program, file or library of clang's runtime that shows that it is there, and the Debian package that brings it. */
const NEEDED = [
  { program: 'avr-gcc', package: 'gcc-avr' },
  { file: '/usr/lib/avr/include/avr/io.h', package: 'avr-libc' },
  { file: '/usr/share/arduino/hardware/arduino/avr/cores/arduino/Arduino.h', package: 'arduino-core-avr' },
  { program: 'clang', package: 'clang' },
  { runtime: 'fuzzer', package: 'libclang-rt-dev' },
  { program: 'wasm-ld', package: 'lld' },
  { program: 'gcc', package: 'gcc' },
  { program: 'g++', package: 'g++' },
  { file: '/usr/include/x86_64-linux-gnu/gnu/stubs-32.h', package: 'gcc-multilib', arch: 'x64' },
  { program: 'socat', package: 'socat' },
  { program: 'mosquitto_pub', package: 'mosquitto-clients' },
  { file: '/usr/lib/python3/dist-packages/paho/mqtt/client.py', package: 'python3-paho-mqtt' },
  { program: 'openssl', package: 'openssl' },
  { program: 'mosquitto', package: 'mosquitto', service: true },
  { program: 'nats-server', package: 'nats-server', service: true },
];

/** Where Debian puts servers, which is on the PATH of root alone. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
/** Asked by Debian's packages whether their services may start: with 101 they may not. */
const POLICY = '/usr/sbin/policy-rc.d';

function isThere({ program, file, runtime, arch }) {
  if (arch !== undefined && arch !== process.arch) return true;
  if (runtime !== undefined) return clangHas(runtime);
  const paths = file ? [file] : FOLDERS.map((folder) => join(folder, program));
  return paths.some((path) => {
    try {
      accessSync(path, constants.R_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function clangHas(runtime) {
  try {
    const folder = execFileSync('clang', ['-print-runtime-dir'], { encoding: 'utf8' }).trim();
    return readdirSync(folder).some((name) => name.startsWith(`libclang_rt.${runtime}`));
  } catch {
    return false;
  }
}

/** Runs `install` so that no service starts of what it installs, now or when the machine does: the tests start their own. */
function withoutServices(services, install) {
  const mine = !existsSync(POLICY);
  if (mine) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
    if (services.length > 0 && existsSync('/run/systemd/system'))
      execFileSync('systemctl', ['disable', '--quiet', ...services]);
  } finally {
    if (mine) rmSync(POLICY, { force: true });
  }
}

const needed = NEEDED.filter((need) => !isThere(need));
const missing = needed.map((need) => need.package);
const services = needed.filter((need) => need.service).map((need) => need.package);
if (missing.length > 0) {
  const install = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  const mayInstall =
    process.platform === 'linux' && process.getuid?.() === 0 && isThere({ program: 'apt-get' });
  if (mayInstall) {
    console.log(`tests: installing ${missing.join(', ')}`);
    try {
      const options = {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      };
      execFileSync('apt-get', ['update', '-qq'], options);
      withoutServices(services, () => execFileSync('apt-get', install.split(' ').slice(1), options));
    } catch (error) {
      console.log(`tests: that failed (${error.message}); what needs it is skipped by name`);
    }
  } else {
    console.log(
      `tests: without ${missing.join(', ')} some tests are skipped, each by name. On Debian or Ubuntu:`,
    );
    console.log(`  sudo ${install}`);
    if (services.length > 0)
      console.log(`  sudo systemctl disable --now ${services.join(' ')}  # the tests start their own`);
  }
}
