import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Splitter } from '../../src/links/serial/splitter.js';
import { decodePacket } from '../../src/wire/decode.js';
import { describeWithTools } from '../support/tools.js';
import { folder, Program, plug, power, sensorUno, startGateway, until } from './bench.js';
import { HandBoard, HELLO } from './hand-board.js';

describeWithTools(['socat'], 'a port is left in peace', () => {
  test('until its board has sent a valid packet', async () => {
    const path = join(await folder(), 'tty');
    const board = await HandBoard.plug(path);
    const running = await startGateway([{ name: 'bench', path }]);
    const program = await (await Program.connect(running)).subscribe('$slipway/ports/#');
    await until(() => expect(running.log.join()).toMatch(/port bench is open/));

    const spoiled = board.frame(HELLO);
    spoiled[8] = (spoiled[8] as number) ^ 1;
    board.pty.print('Optiboot\r\n');
    board.pty.print(spoiled);
    board.pty.print('half a line');
    await until(() => expect(program.texts('$slipway/ports/bench/log')).toEqual(['Optiboot', 'half a line']));
    expect(running.count('serial.drop.crc')).toBe(1);
    await program.client.emit('anything', 'to anyone', { retain: true });
    await program.client.broadcast('hello all');

    board.pty.print(board.frame(HELLO));
    const welcome = await board.first('welcome');
    expect(board.heard()).toEqual([welcome]);
  });

  test('by the real binding and machine code, too', async () => {
    const path = join(await folder(), 'tty');
    const uno = await sensorUno();
    await plug(uno, path);
    const running = await startGateway([{ name: 'bench', path }]);
    const program = await (await Program.connect(running)).subscribe('$slipway/devices/#');
    await until(() => expect(running.log.join()).toMatch(/port bench is open/));
    await program.client.broadcast('hello all');
    let sentBefore = 0;
    const write = uno.write.bind(uno);
    uno.write = (bytes) => {
      if (uno.written.length === 0) sentBefore = Buffer.concat(uno.sent).length;
      return write(bytes);
    };
    power(uno);
    await program.untilLast('$slipway/devices/virtual-uno/state', 'online');
    const frames: string[] = [];
    const splitter = new Splitter(1024, {
      packet: (packet) => frames.push(decodePacket(packet, 'peer')[0]?.type ?? ''),
      line: () => undefined,
      drop: () => undefined,
    });
    splitter.push(Buffer.concat(uno.sent).subarray(0, sentBefore));
    expect(frames[0]).toBe('hello');
  });

  test('with lines.listen, until a message comes: what was kept from before is not written', async () => {
    const path = join(await folder(), 'tty');
    const running = await startGateway([
      { name: 'bench', path, lines: { emit: 'bench/said', listen: 'bench/say' } },
    ]);
    const program = await (await Program.connect(running)).subscribe('bench/said');
    await program.client.emit('bench/say', 'from before', { retain: true });
    const board = await HandBoard.plug(path);
    await until(() => expect(running.log.join()).toMatch(/port bench is open/));
    board.pty.print('ready\n');
    await program.untilLast('bench/said', 'ready');
    expect(board.written.toString()).toBe('');
    await program.client.emit('bench/say', 'live', { retain: true });
    await until(() => expect(board.written.toString()).toBe('live\n'));
  });
});
