import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { connectTo, freePort, type RunningGateway, startGateway, until } from '../support/gateways.js';
import { usersText } from '../support/policies.js';
import { Program } from '../support/programs.js';
import { describeWithTools } from '../support/tools.js';
import { buildPosix } from './build.js';

const start = (kind: 'udp' | 'tcp', host: string, port: number, ...rest: string[]) =>
  new Program(buildPosix(), [kind, host, `${port}`, ...rest]);

const KEY = '202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f';

/** One that speaks for `pump`, with that key. */
const pump = (kind: 'udp' | 'tcp', port: number, key = '') =>
  new Program(buildPosix(), [kind, '127.0.0.1', `${port}`, 'pump'], undefined, { SLIPWAY_KEY: key });

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

  describe('of a device that has a key', () => {
    let gateway: RunningGateway;

    beforeEach(async () => {
      const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      const file = join(folder, 'users.yaml');
      await writeFile(file, usersText({}, { pump: Buffer.from(KEY, 'hex') }), { mode: 0o600 });
      const rules = [
        { who: 'device:pump', emit: 'pump/state' },
        { who: 'anyone', subscribe: '#' },
      ];
      gateway = await startGateway({ access: { users: { file }, rules } });
    });

    for (const kind of ['udp', 'tcp'] as const) {
      it(`proves who it is over ${kind}, and may do what the rules say`, async () => {
        const client = await connectTo(gateway.tcp);
        const got: string[] = [];
        await client.subscribe('#', ({ channel, text }) => void got.push(`${channel} ${text}`));
        const program = pump(kind, gateway[kind].port, KEY);
        program.child.stdin.end('other/state on\npump/state on\n');
        expect((await program.ended).code).toBe(0);
        expect(program.stderr).toMatch(
          /^refused: other\/state: the gateway's configuration does not allow it$/m,
        );
        await until(() => expect(got).toEqual(['pump/state on']));
      });

      it.each([
        ['none', ''],
        ['another', KEY.replaceAll('2', '3')],
      ])(`is not let in over ${kind} with %s`, async (_, key) => {
        const program = pump(kind, gateway[kind].port, key);
        await program.complains(/: this name has a key that only one of the two has, or not the same/);
        expect(gateway.gateway.statistics().sessions).toEqual({ open: 0, held: 0 });
      });
    }
  });

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
