import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { CertificateMaker } from '../support/certificates.js';
import { connectTo, until } from '../support/gateways.js';
import { MAIN, Program, slipway } from '../support/programs.js';
import { describeWithTools } from '../support/tools.js';

describeWithTools(['openssl', 'socat'], 'SIGHUP', () => {
  function setUp() {
    const maker = new CertificateMaker();
    onTestFinished(() => maker.remove());
    const authority = maker.authority('ca');
    const files = { cert: join(maker.folder, 'live.pem'), key: join(maker.folder, 'live.key') };
    const install = (name: string) => {
      const { cert, key } = maker.server(name, authority);
      copyFileSync(cert, files.cert);
      copyFileSync(key, files.key);
    };
    install('first');
    const config = join(maker.folder, 'slipway.yaml');
    const write = (more = '') =>
      writeFileSync(
        config,
        `version: 1\nlisten:\n  tcp: { port: 0, tls: { cert: live.pem, key: live.key } }\n  udp: false\n${more}`,
      );
    write();
    return { maker, config, write, install, files, ca: readFileSync(authority.cert) };
  }

  it('has the daemon read its config and certificates again, and keep what it has where they cannot be used', async () => {
    const { config, write, install, files, ca } = setUp();
    const program = slipway(['run', '-c', config]);
    const [line] = await program.prints(/\{.*"tcp":.*\n/);
    const { tcp } = JSON.parse(line);
    const client = await connectTo(tcp, { tls: { ca } });
    const logged = () => program.lines.map((each) => JSON.parse(each));
    const reload = async (says: string) => {
      const before = program.lines.length;
      program.child.kill('SIGHUP');
      await until(() =>
        expect(
          logged()
            .slice(before)
            .map(({ msg }) => msg)
            .join(),
        ).toContain(says),
      );
    };

    install('second');
    await reload(`read again: ${config}`);
    write('limits: { backlog: 1 MiB }\nstats: { interval: 1m }\n');
    await reload('changed, but only a restart applies it: limits.backlog, stats.interval');
    write('limits: { backlog: lots }\n');
    await reload('nothing is changed, the old config stays: ');
    expect(logged().at(-1)).toMatchObject({
      level: 50,
      msg: expect.stringContaining(`${config}:5:20: limits.backlog: `),
    });
    write();
    writeFileSync(files.key, 'damaged');
    await reload(
      `nothing is changed, the old config stays: listen.tcp.tls.key: ${files.key}: holds no private key`,
    );

    await client.emit('x', 'still here');
    await connectTo(tcp, { tls: { ca } });
    program.child.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.stderr).toBe('');
  });

  it('ends the daemon when its terminal was closed, as ever', async () => {
    const { config } = setUp();
    const terminal = new Program('socat', [
      '-',
      `EXEC:${process.execPath} ${MAIN} run -c ${config},pty,setsid,ctty`,
    ]);
    await terminal.prints(/listening on TCP/);
    const [, pid] = /(\d+)/.exec(String(childrenOf(terminal.child.pid))) ?? [];
    process.kill(Number(pid), 'SIGHUP');
    await terminal.prints(/read again/);
    terminal.child.kill('SIGTERM');
    await until(() => expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH'));
  });
});

function childrenOf(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
}

describeWithTools(['openssl'], 'slipway check', () => {
  it('looks at the certificates, too', async () => {
    const maker = new CertificateMaker();
    onTestFinished(() => maker.remove());
    const { cert, key } = maker.authority('ca');
    const config = join(maker.folder, 'slipway.yaml');
    const write = (other: string) =>
      writeFileSync(config, `version: 1\nlisten: { mqtt: { tls: { cert: ${cert}, key: ${other} } } }\n`);
    write(key);
    const good = slipway(['check', '-c', config]);
    expect(await good.ended).toEqual({ code: 0, signal: null });
    expect([good.stdout, good.stderr]).toEqual([`ok: ${config}\n`, '']);
    write('none.key');
    const bad = slipway(['check', '-c', config]);
    expect(await bad.ended).toEqual({ code: 2, signal: null });
    expect(bad.stderr).toBe(
      `${config}:2:${`listen: { mqtt: { tls: { cert: ${cert}, key: `.length + 1}: listen.mqtt.tls.key: ${join(maker.folder, 'none.key')}: there is no such file\n`,
    );
  });
});
