import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectTo, freePort, type RunningGateway, startGateway, until } from '../support/gateways.js';
import { MAIN, Program, slipway } from '../support/programs.js';

/** Starts `sub` and waits until the gateway knows its subscriptions. */
async function subscribe({ tcp, gateway }: RunningGateway, ...args: string[]): Promise<Program> {
  const patterns = args.findIndex((arg) => arg.startsWith('--'));
  const wanted = gateway.statistics().router.subscriptions + (patterns < 0 ? args.length : patterns);
  const program = slipway(['sub', ...args, '--port', String(tcp.port)]);
  await until(() => {
    if (program.exit) throw new Error(`it ended: ${program.stderr}`);
    expect(gateway.statistics().router.subscriptions).toBe(wanted);
  });
  return program;
}

describe('slipway sub', () => {
  it('prints channel, tab and payload of each message, one a line, until it is interrupted', async () => {
    const running = await startGateway();
    const program = await subscribe(running, 'a/+', 'b', 'a/#');
    const client = await connectTo(running.tcp);
    await client.emit('a/1', 'one');
    await client.emit('c', 'not this');
    await client.emit('b', 'two words');
    await client.emit('a/1', 'one');
    await program.prints(/two words\n.*\n/);
    program.child.kill('SIGINT');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    // The first and the last match two patterns, and are two messages.
    expect(program.lines).toEqual(['a/1\tone', 'b\ttwo words', 'a/1\tone']);
    expect(program.stderr).toBe('');
  });

  it('with --identity gets what was emitted while it did not run', async () => {
    const running = await startGateway();
    const first = await subscribe(running, 'alarms/#', '--identity', 'watch');
    first.child.kill('SIGINT');
    await first.ended;
    const client = await connectTo(running.tcp);
    for (const text of ['one', 'two']) await client.emit('alarms/door', text);
    const second = slipway(['sub', 'alarms/#', '--identity', 'watch', '--port', String(running.tcp.port)]);
    await second.prints(/two/);
    expect(second.lines).toEqual(['alarms/door\tone', 'alarms/door\ttwo']);
    const wrong = slipway(['sub', 'alarms/#', '--identity', 'watch', '--count', '1']);
    expect((await wrong.ended).code).toBe(2);
    expect(wrong.stderr).toMatch(/option '--identity <name>' cannot be used with option '--count <n>'/);
  });

  it('ends after --count messages, last values counted', async () => {
    const running = await startGateway();
    const client = await connectTo(running.tcp);
    await client.emit('n', 'kept', { retain: true });
    const program = slipway(['sub', 'n', '--count', '3', '--port', String(running.tcp.port)]);
    await program.prints(/kept/);
    for (const text of ['1', '2', '3']) await client.emit('n', text);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.lines).toEqual(['n\tkept', 'n\t1', 'n\t2']);
    await until(() => expect(running.gateway.statistics().sessions).toEqual({ open: 1, held: 0 }));
  });

  it('prints JSON objects, one a line, whatever the payload holds', async () => {
    const running = await startGateway();
    const client = await connectTo(running.tcp);
    await client.emit('x/kept', 'old', { retain: true, qos: 2 });
    const program = await subscribe(running, 'x/+', '--json', '--count', '5');
    await program.prints(/old/);
    await client.emit('x/lines', 'one\ntwo "quoted" größer');
    await client.emit('x/bytes', Uint8Array.of(0xff, 0, 10), { qos: 0 });
    // QoS 0 keeps no order with the rest.
    await program.prints(/x\/bytes/);
    await client.emit('x/none', '');
    await client.emit('x/json', '{"a":1}', { qos: 2 });
    expect((await program.ended).code).toBe(0);
    expect(program.lines.map((line) => JSON.parse(line))).toEqual([
      { channel: 'x/kept', payload: 'old', qos: 2, retained: true },
      { channel: 'x/lines', payload: 'one\ntwo "quoted" größer', qos: 1, retained: false },
      { channel: 'x/bytes', payload_base64: '/wAK', qos: 0, retained: false },
      { channel: 'x/none', payload: '', qos: 1, retained: false },
      { channel: 'x/json', payload: '{"a":1}', qos: 2, retained: false },
    ]);
  });

  it('prints a payload with line ends as it is', async () => {
    const running = await startGateway();
    const program = await subscribe(running, 'x', '--count', '1');
    await (await connectTo(running.tcp)).emit('x', 'one\ntwo');
    await program.ended;
    expect(program.stdout).toBe('x\tone\ntwo\n');
  });

  it('receives at the QoS that it is told', async () => {
    const running = await startGateway();
    const program = await subscribe(running, 'x', '--qos', '0', '--json', '--count', '1');
    await (await connectTo(running.tcp)).emit('x', 'y', { qos: 2 });
    await program.ended;
    expect(JSON.parse(program.stdout)).toMatchObject({ qos: 0 });
  });

  it('ends cleanly when whoever reads it has gone', async () => {
    const { tcp, gateway } = await startGateway();
    const script = '{ "$0" "$1" sub x --port "$2"; echo "ended with $?" >&2; } | head -n 1';
    const pipe = new Program('sh', ['-c', script, process.execPath, MAIN, String(tcp.port)]);
    await until(() => expect(gateway.statistics().router.subscriptions).toBe(1));
    const client = await connectTo(tcp);
    for (let n = 0; pipe.exit === undefined; n++) await client.emit('x', String(n));
    expect(pipe.stdout).toBe('x\t0\n');
    expect(pipe.stderr).toBe('ended with 0\n');
  });

  it('outlives its gateway, and says so', async () => {
    const first = await startGateway();
    const program = await subscribe(first, 'x');
    await first.gateway.stop();
    await program.complains(/^slipway: connection lost \(shutdown\), trying again\n/);
    const second = await startGateway({ listen: { tcp: first.tcp } });
    await program.complains(/connected again; messages may have been missed\n/);
    await until(() => expect(second.gateway.statistics().router.subscriptions).toBe(1));
    await (await connectTo(second.tcp)).emit('x', 'after');
    await program.prints(/^x\tafter\n/);
    program.child.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 0, signal: null });
  });

  it('ends at once when it is interrupted while there is no gateway', async () => {
    const first = await startGateway();
    const program = await subscribe(first, 'x');
    await first.gateway.stop();
    await program.complains(/connection lost/);
    program.child.kill('SIGINT');
    expect(await program.ended).toEqual({ code: 0, signal: null });
  });

  it('can be interrupted while it connects', async () => {
    const server = createServer().listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const program = slipway(['sub', 'x', '--port', String((server.address() as AddressInfo).port)]);
    const [socket] = (await once(server, 'connection')) as [Socket];
    onTestFinished(() => void socket.destroy());
    program.child.kill('SIGINT');
    expect(await program.ended).toEqual({ code: null, signal: 'SIGINT' });
  });

  it('says in one line that there is no gateway, or what it refused', async () => {
    const none = slipway(['sub', 'x', '--port', String(await freePort())]);
    expect(await none.ended).toEqual({ code: 1, signal: null });
    expect(none.stderr).toMatch(/^slipway: no gateway at .*\n$/);

    const { tcp } = await startGateway({ limits: { subscriptions: 1 } });
    const refused = slipway(['sub', 'x', 'y', '--port', String(tcp.port)]);
    expect(await refused.ended).toEqual({ code: 1, signal: null });
    expect(refused.stderr).toMatch(/^slipway: the subscription to "y" was refused: .*limit.*\n$/);

    const wrong = slipway(['sub', 'a/#/b', '--port', String(tcp.port)]);
    expect(await wrong.ended).toEqual({ code: 2, signal: null });
    expect(wrong.stderr).toMatch(/^slipway: pattern "a\/#\/b": .*\n$/);
  });
});
