import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MAIN, Program, slipway } from '../support/programs.js';

const COMMANDS = [
  'run',
  'check',
  'sub',
  'emit',
  'broadcast',
  'devices',
  'user',
  'key',
  'ports',
  'simulate',
  'demo',
];

describe('slipway', () => {
  it('lists its commands with --help, and with none', async () => {
    const [help, none] = [slipway(['--help']), slipway([])];
    expect(await help.ended).toEqual({ code: 0, signal: null });
    for (const command of COMMANDS) expect(help.stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    expect(help.stdout).toContain('Examples:\n  $ slipway demo');
    expect(help.stderr).toBe('');
    expect(await none.ended).toEqual({ code: 2, signal: null });
    expect(none.stderr).toBe(help.stdout);
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    const program = slipway(['--version']);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.stdout).toBe(`${version}\n`);
  });

  it.each(COMMANDS)('explains %s with an example', async (command) => {
    const program = slipway([command, '--help']);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.stdout).toMatch(new RegExp(`Examples?:\\n +\\$ .*slipway ${command}`));
    expect(program.stderr).toBe('');
  });

  it('explains to who does not listen', async () => {
    const script = '{ "$0" "$1" run --help; echo "ended with $?" >&2; } | true';
    const pipe = new Program('sh', ['-c', script, process.execPath, MAIN]);
    await pipe.ended;
    expect(pipe.stderr).toBe('ended with 0\n');
  });

  it('explains what a command does before how it connects', async () => {
    const program = slipway(['sub', '--help']);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.stdout).toMatch(
      /^Options:\n(.*\n)* +--count(.*\n)*Where the gateway is, and who asks:\n +--host/m,
    );
  });

  it.each([
    [['rnu'], "unknown command 'rnu'"],
    [['--verbos'], "unknown option '--verbos'"],
    [['sub', 'x', '--jsn'], "unknown option '--jsn'"],
    [['sub'], "missing required argument 'pattern'"],
    [['sub', 'x', '--count', '0'], 'It must be a whole number from 1.'],
    [['sub', 'x', '--qos', '3'], 'It must be 0, 1 or 2.'],
    [['emit', 'x', 'y', '--port', '65536'], 'It must be a port from 1 to 65535.'],
    [['emit', 'x', 'y', 'z'], 'too many arguments'],
    [['run', '--config'], 'argument missing'],
    [['run', 'a.yaml', 'b.yaml'], 'too many arguments'],
    [['user', 'add', 'ada', 'secret'], 'too many arguments'],
    [['key', 'ad'], "unknown command 'ad'"],
    [['demo', '--count', 'many'], 'It must be a whole number from 1.'],
  ])('says what is wrong with the usage of %j', async (args, problem) => {
    const program = slipway(args);
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.stderr).toContain(problem);
    expect(program.stderr).toContain('--help');
    expect(program.stdout).toBe('');
  });
});
