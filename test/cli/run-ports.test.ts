import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { LINK_REPORTS, type LinkReport } from '../../src/gateway/link-reports.js';
import { Pty } from '../links/serial/pty.js';
import { connectTo, until } from '../support/gateways.js';
import { NOBODY, type Program, slipwayAsNobody } from '../support/programs.js';
import { describeWithTools } from '../support/tools.js';

const ROOT = process.getuid?.() === 0;
const TIOCEXCL = 0x540c;
const TIOCNXCL = 0x540d;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-run-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
});

async function plug(): Promise<{ pty: Pty; device: string }> {
  const pty = await Pty.plug(join(folder, 'tty0'));
  onTestFinished(() => pty.unplug());
  return { pty, device: await realpath(pty.path) };
}

/** The daemon, as a user without rights, with that port; and what it logged of it. */
async function run(pty: Pty): Promise<{ program: Program; said: () => string[] }> {
  const file = join(folder, 'slipway.yaml');
  const listen = { tcp: { port: 0 }, udp: false };
  await writeFile(file, JSON.stringify({ version: 1, listen, serial: [{ name: 'bench', path: pty.path }] }));
  const program = slipwayAsNobody(['run', '-c', file]);
  const said = () =>
    program.lines
      .map((line) => JSON.parse(line) as { level: number; msg: string; port?: string })
      .filter(({ msg }) => msg.startsWith('port bench'))
      .map(({ level, msg }) => `${level === 40 ? 'warn' : 'info'} ${msg}`);
  return { program, said };
}

/** Waits until the daemon has tried to open the port `times` times. */
async function attempts(program: Program, times: number): Promise<void> {
  const [, port] = await program.prints(/"tcp":\{"host":"127\.0\.0\.1","port":(\d+)\}/);
  const client = await connectTo({ host: '127.0.0.1', port: Number(port) });
  let failed = 0;
  await client.subscribe(`${LINK_REPORTS}/serial:bench`, ({ text }) => {
    failed = (JSON.parse(text) as LinkReport).port?.counters['serial.open_failed'] ?? 0;
  });
  await until(() => expect(failed).toBeGreaterThanOrEqual(times));
}

// Root may open everything, so the daemon runs as another user.
describeWithTools(['socat', 'stty', 'setpriv', 'perl'], 'slipway run', () => {
  it.runIf(ROOT)(
    'says once that it may not open a port and what mends it, and once that it is open',
    async () => {
      const { pty, device } = await plug();
      await chown(device, 0, 20);
      await chmod(device, 0o660);
      const { program, said } = await run(pty);
      // A device that has just appeared may still be given its rights: that is waited for.
      await until(() => expect(said()).toHaveLength(1));
      await attempts(program, 4);
      expect(said()).toEqual([
        `warn port bench: no permission to open ${pty.path}, which belongs to group dialout: run "sudo usermod -aG dialout $USER", then log in again`,
      ]);
      await chmod(device, 0o666);
      await until(() => expect(said().slice(1)).toEqual(['info port bench is open']));
    },
  );

  it.runIf(ROOT)('says once who keeps a port for itself (TIOCEXCL), and once that it is open', async () => {
    const { pty, device } = await plug();
    await chmod(device, 0o666);
    // The flag stays until everyone has closed the pty, and its makers do not: so the program takes it back itself.
    const script = `open(F, "+<", $ARGV[0]) or die; $SIG{TERM} = sub { ioctl(F, ${TIOCNXCL}, 0); exit };
      ioctl(F, ${TIOCEXCL}, 0); $| = 1; print "held\\n"; sleep 600`;
    const holder = spawn('perl', ['-e', script, device], { ...NOBODY, stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void holder.kill());
    await once(holder.stdout, 'data');
    const { program, said } = await run(pty);
    await until(() => expect(said()).toHaveLength(1));
    await attempts(program, 4);
    // The makers of the pty are root's: their files are not for this user to see.
    expect(said()).toEqual([`warn port bench: ${pty.path} is in use by perl (pid ${holder.pid}): close it`]);
    holder.kill();
    await until(() => expect(said().slice(1)).toEqual(['info port bench is open']));
  });
});
