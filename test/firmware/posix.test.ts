import { expect, it } from 'vitest';
import { freePort, startGateway } from '../support/gateways.js';
import { Program } from '../support/programs.js';
import { describeWithTools } from '../support/tools.js';
import { buildPosix } from './build.js';

const start = (kind: 'udp' | 'tcp', host: string, port: number, ...rest: string[]) =>
  new Program(buildPosix(), [kind, host, `${port}`, ...rest]);

describeWithTools(['clang'], 'slipway-posix', () => {
  for (const kind of ['udp', 'tcp'] as const) {
    it(`speaks to a gateway over ${kind}, and says in words what that refuses`, async () => {
      const gateway = await startGateway();
      const listener = start(kind, '127.0.0.1', gateway[kind].port, 'listener', 'a/#');
      await listener.complains(/^connected$/m);
      const sender = start(kind, '127.0.0.1', gateway[kind].port, 'sender');
      sender.child.stdin.write('$bad no\na/b good\n');
      await sender.complains(/^refused: \$bad: the gateway's configuration does not allow it$/m);
      await listener.prints(/^a\/b good$/m);
      sender.child.stdin.end();
      expect((await sender.ended).code).toBe(0);
      expect(sender.stderr).not.toMatch(/reason \d/);
    });

    it(`says once over ${kind} that nobody is there, whatever it tries`, async () => {
      const program = start(kind, 'localhost', await freePort(), 'board');
      const complaint =
        /^slipway-posix: \w+ localhost \d+: Connection refused \(is the gateway running, .*$/gm;
      await program.complains(complaint);
      const gateway = await startGateway({
        listen: { [kind]: { host: '127.0.0.1', port: portOf(program) } },
      });
      expect(gateway[kind].port).toBe(portOf(program));
      await program.complains(/^connected$/m);
      expect(program.stderr.match(complaint)).toHaveLength(1);
    });
  }

  it('says why it is not let in', async () => {
    const gateway = await startGateway();
    const first = start('tcp', '127.0.0.1', gateway.tcp.port, 'board', 'a');
    await first.complains(/^connected$/m);
    const second = start('tcp', '127.0.0.1', gateway.tcp.port, 'board', 'a');
    await second.complains(
      /: another device is connected under this identity: give each its own; trying again$/m,
    );
  });

  it('tells how it is called', async () => {
    const program = new Program(buildPosix(), ['tcp']);
    expect((await program.ended).code).toBe(2);
    expect(program.stderr).toMatch(/^usage: slipway-posix udp\|tcp HOST PORT IDENTITY/);
  });
});

const portOf = ({ child }: Program) => Number(child.spawnargs[3]);
