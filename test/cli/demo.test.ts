import { exec } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { slipway } from '../support/programs.js';
import { describeWithTools } from '../support/tools.js';

/** Listens on a port if nobody else does yet: either way it is taken. */
async function take(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) =>
    server.once('error', () => resolve()).listen({ host: '127.0.0.1', port }, resolve),
  );
  onTestFinished(() => void server.close());
}

const README = new URL('../../README.md', import.meta.url);

describe('slipway demo', () => {
  it('shows messages over serial, UDP and TCP; the serial ones come from the machine code of the sketch', async () => {
    const program = slipway(['demo', '--count', '20']);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    const rows = program.lines.slice(program.lines.indexOf('') + 1).map((line) => line.split(/ {2,}/));
    expect(rows).toHaveLength(20);
    expect(new Set(rows.map(([link]) => link))).toEqual(new Set(['serial', 'udp', 'tcp']));
    expect(rows).toContainEqual(['serial', '$slipway/devices/virtual-uno/state', 'online']);
    expect(rows).toContainEqual(['serial', 'greenhouse/temperature', expect.stringMatching(/^\d\d\.\d\d$/)]);
    expect(rows).toContainEqual(['udp', 'garden/soil', expect.stringMatching(/^\d\d\.\d %$/)]);
    expect(rows).toContainEqual(['tcp', 'greenhouse/led', 'on']);
    // The sketch heard that, switched its LED and says so.
    expect(rows).toContainEqual(['serial', 'greenhouse/led/state', 'on']);
    expect(program.stderr).toBe('');
  });

  it('picks other ports when its own is taken, and ends when it is interrupted', async () => {
    await take(7770);
    const program = slipway(['demo']);
    const [, ports] = await program.prints(/^Gateway on TCP and UDP 127\.0\.0\.1, port (.*)\.$/m);
    expect(ports).toMatch(/^\d+( and \d+)?$/);
    expect(ports).not.toMatch(/\b7770\b/);
    await program.prints(/^serial {2}greenhouse\/temperature/m);
    program.child.kill('SIGINT');
    expect(await program.ended).toEqual({ code: 0, signal: null });
  });
});

describe('npm start', () => {
  it('prints a command for another terminal that works before `slipway` is on the PATH', async () => {
    const program = slipway(['demo'], undefined, { npm_lifecycle_event: 'start' });
    const [, command = ''] = await program.prints(/^From another terminal: (node .*), or node /m);
    const { stdout } = await promisify(exec)(`${command} --count 1`, {
      env: { ...process.env, PATH: dirname(process.execPath) },
    });
    expect(stdout).toMatch(/^[a-z/]+\t.+\n$/);
  });
});

describeWithTools(['mosquitto_sub'], 'slipway demo, with a program of others', () => {
  it('shows what the Uno measures to the command that it prints, which the README has', async () => {
    const program = slipway(['demo']);
    const [, command = ''] = await program.prints(/^or with any client of MQTT: (.*)$/m);
    const usual = command.replace(/ -p \d+$/, '');
    expect(await readFile(README, 'utf8')).toContain(`\n${usual}\n`);
    const { stdout } = await promisify(exec)(`${command} -C 5`);
    expect(stdout).toMatch(/^greenhouse\/temperature \d\d\.\d\d$/m);
  });
});
