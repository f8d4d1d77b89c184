import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { PortStream } from '../../src/links/serial/port.js';
import { connectTo, startGateway, until } from '../support/gateways.js';

/** A port at which a board prints and reads lines; `hold` keeps what is written to it from getting away. */
class PrintingBoard extends EventEmitter implements PortStream {
  isOpen = false;
  closing = false;
  read = '';
  held: (() => void)[] | undefined;

  open(done: (error: null) => void): void {
    this.isOpen = true;
    setImmediate(done, null);
  }

  close(done: (error: null) => void): void {
    this.isOpen = false;
    setImmediate(() => {
      this.emit('close');
      done(null);
    });
  }

  write(bytes: Uint8Array, done: (error: null) => void): boolean {
    this.read += Buffer.from(bytes).toString();
    if (this.held) this.held.push(() => done(null));
    else setImmediate(done, null);
    return true;
  }

  update(_options: object, done: (error: null) => void): void {
    setImmediate(done, null);
  }

  set(_lines: object, done: (error: null) => void): void {
    setImmediate(done, null);
  }

  print(text: string): void {
    this.emit('data', Buffer.from(text));
  }
}

const PATH = '/dev/printing-board';

async function start(limits: object = {}) {
  const board = new PrintingBoard();
  const lines = { emit: 'bench/printed', listen: 'bench/commands' };
  const running = await startGateway(
    { serial: [{ name: 'bench', path: PATH, low_latency: false, lines }], limits },
    { openPort: () => board, listPorts: async () => [{ path: PATH }] },
  );
  const client = await connectTo(running.tcp);
  await until(() => expect(running.count('serial.opened')).toBe(1));
  return { ...running, board, client };
}

describe('a board that just prints lines', () => {
  it('is written what is emitted on its channel, as lines, and nothing else', async () => {
    const { board, client } = await start();
    await client.emit('bench/commands', 'led on', { qos: 2 });
    await client.emit('bench/commands', 'größer', { qos: 0 });
    await client.emit('bench/other', 'not for it');
    await client.broadcast('nor this');
    await client.emit('bench/commands', '');
    await until(() => expect(board.read).toBe('led on\ngrößer\n\n'));
  });

  it('is not written a last value when its port opens: it may be in its bootloader', async () => {
    const { board, client, gateway, count } = await start();
    await client.emit('bench/commands', 'led on', { retain: true });
    await until(() => expect(board.read).toBe('led on\n'));
    board.isOpen = false;
    board.emit('close');
    await until(() => expect(count('serial.opened')).toBe(2));
    await client.emit('bench/commands', 'led off');
    await until(() => expect(board.read).toBe('led on\nled off\n'));
    expect(gateway.statistics().router.subscriptions).toBe(1);
  });

  it('refuses what finds its queue full, and takes more once it was written', async () => {
    const { board, client, count } = await start({ backlog: 1024 });
    board.held = [];
    const line = 'x'.repeat(499);
    await client.emit('bench/commands', line);
    await client.emit('bench/commands', line);
    await expect(client.emit('bench/commands', line)).rejects.toMatchObject({ code: 'queue_full' });
    await client.emit('bench/commands', 'y'.repeat(23));
    await client.emit('bench/commands', 'one byte too many', { qos: 0 });
    await until(() => expect(count('router.drop.queue_full')).toBe(1));
    for (const written of board.held) written();
    await client.emit('bench/commands', line);
    expect(board.read.split('\n').map(({ length }) => length)).toEqual([499, 499, 23, 499, 0]);
    expect(count('serial.drop.backlog')).toBe(0);
  });

  it('has its lines emitted on its channel, and on the log of its port', async () => {
    const { board, client } = await start();
    const got: string[] = [];
    for (const pattern of ['bench/#', '$slipway/ports/+/log']) {
      await client.subscribe(pattern, ({ channel, text }) => void got.push(`${channel} ${text}`));
    }
    board.print('21.5 C\r\n22.0');
    board.print(' C\n');
    await until(() => expect(got).toHaveLength(4));
    expect(got.filter((line) => line.startsWith('bench'))).toEqual([
      'bench/printed 21.5 C',
      'bench/printed 22.0 C',
    ]);
    expect(got.filter((line) => line.startsWith('$'))).toEqual([
      '$slipway/ports/bench/log 21.5 C',
      '$slipway/ports/bench/log 22.0 C',
    ]);
    expect(board.read).toBe('');
  });
});
