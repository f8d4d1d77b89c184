import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import { problemsIn } from './problems-in.js';

const serial = (yaml: string) => parseConfig(`version: 1\nserial:\n${yaml}`, 'FILE', {}).serial;
const problems = (yaml: string) => problemsIn(`version: 1\nserial:\n${yaml}`);

describe('serial ports', () => {
  it('need a name and a path, the rest has defaults', () => {
    expect(serial('  - { name: bench, path: /dev/ttyACM* }')).toEqual([
      { name: 'bench', path: '/dev/ttyACM*', baud: [115_200], dtr: 'never', low_latency: true, lines: {} },
    ]);
    expect(problems('  - baud: 9600')).toEqual([
      '3:5: serial[0].name: is missing',
      '3:5: serial[0]: needs path or usb, to say which port it is',
    ]);
  });

  it('have a path that does not depend on where the gateway was started', () => {
    expect(problems('  - { name: a, path: ttyACM0 }')).toEqual([
      '3:22: serial[0].path: must be an absolute path, like "/dev/ttyACM0"',
    ]);
    expect(serial('  - { name: a, path: COM3 }')[0]?.path).toBe('COM3');
  });

  it('can be named by their USB device, whose ids are hex digits in quotes', () => {
    const [port] = serial('  - { name: a, usb: { vendor_id: "2A03", serial_number: X1 } }');
    expect(port?.usb).toEqual({ vendor_id: '2a03', serial_number: 'X1' });
    expect(port).not.toHaveProperty('path');
    expect(problems('  - { name: a, usb: { vendor_id: 0403, product_id: "0x12" } }')).toEqual([
      '3:34: serial[0].usb.vendor_id: must be text, and YAML reads this as a number: put it in quotes, "0403"',
      '3:52: serial[0].usb.product_id: must be four hex digits in quotes, like "2341"; not "0x12"',
    ]);
    expect(problems('  - { name: a, usb: {} }')).toEqual([
      '3:16: serial[0].usb: needs serial_number, vendor_id or product_id: with none, any USB port would do',
    ]);
  });

  it('have a path or a USB device, not both, which is said also when something else is wrong', () => {
    expect(problems('  - name: "a b"\n    path: /dev/x\n    usb: { serial_number: X }\n    buad: 1')).toEqual(
      [
        '3:5: serial[0]: has both path and usb: keep one',
        '3:11: serial[0].name: must be 1 to 64 of the characters A-Z a-z 0-9 . _ -',
        '6:5: serial[0].buad: unknown key (did you mean "baud"?)',
      ],
    );
  });

  it('have one rate or several, and say how to write them', () => {
    const baud = (written: string) => problems(`  - { name: a, path: /x, baud: ${written} }`);
    const form = 'must be a rate, like 115200, or a list of rates to try, like [115200, 9600]';
    expect(baud('auto')).toEqual([expect.stringContaining(`${form}; not "auto"`)]);
    expect(baud('[9600, fast]')).toEqual([expect.stringContaining(`${form}; not "fast"`)]);
    expect(baud('[9600, 115200, 9600]')).toEqual(['3:26: serial[0].baud: has 9600 twice: write it once']);
    expect(baud('[]')).toEqual([
      '3:26: serial[0].baud: cannot be empty: write at least one value, or delete the line for the default',
    ]);
  });

  it('do not share names, paths or devices, which is said of both lines', () => {
    const yaml = `  - name: a
    path: /dev/x
  - name: b
    usb: { serial_number: X }
    dtr: alwys
  - name: a
    path: /dev/x
  - name: c
    usb: { serial_number: X }
`;
    expect(problems(yaml)).toEqual([
      '7:10: serial[1].dtr: must be one of never, always; not "alwys" (did you mean "always"?)',
      '8:11: serial[2].name: is also the name of serial[0] (line 3)',
      '9:11: serial[2].path: is also the port of serial[0] (line 4)',
      '11:5: serial[3].usb: is also the device of serial[1] (line 6)',
    ]);
  });

  it('take lines to and from channels that are valid, and not the gateway’s own', () => {
    expect(
      serial('  - { name: a, path: /x, lines: { emit: a/b, listen: $slipway/stats } }')[0]?.lines,
    ).toEqual({
      emit: 'a/b',
      listen: '$slipway/stats',
    });
    const wrong = problems(
      '  - name: a\n    path: /x\n    lines:\n      emit: $slipway/x\n      listen: a/+\n',
    );
    expect(wrong).toHaveLength(2);
    expect(wrong[0]).toMatch(
      /^6:13: serial\[0\]\.lines\.emit: names that begin with "\$" are the gateway's own/,
    );
    expect(wrong[1]).toMatch(/^7:15: serial\[0\]\.lines\.listen: .*wildcards/);
  });
});

describe('the store', () => {
  it.each([
    ['/var/x', 'must say where: write "store: { path: /var/x }", or "store: false" for none'],
    [`"a b'c"`, `must say where: write "store: { path: 'a b''c' }", or "store: false" for none`],
    ['true', 'must say where: write "store: { path: /var/lib/slipway }", or "store: false" for none'],
  ])('is a mapping: %s is told so', (written, message) => {
    expect(problemsIn(`version: 1\nstore: ${written}\n`)).toEqual([`2:8: store: ${message}`]);
    expect(problemsIn('version: 1\nstore: []\n')).toEqual([
      '2:1: store: must be a mapping ("key: value" lines)',
    ]);
  });
});

describe('listeners', () => {
  it('do not share an address and port, unless the system picks the port', () => {
    const yaml = (port: number) => `version: 1
listen:
  tcp:
    - { host: 127.0.0.1, port: ${port} }
    - { host: 127.0.0.2, port: ${port} }
    - port: ${port}
      prot: 1
`;
    expect(problemsIn(yaml(5000))).toEqual([
      '6:7: listen.tcp[2]: listens on the same address and port as listen.tcp[0] (line 4)',
      '7:7: listen.tcp[2].prot: unknown key (did you mean "port"?)',
    ]);
    expect(problemsIn(yaml(0))).toEqual(['7:7: listen.tcp[2].prot: unknown key (did you mean "port"?)']);
  });
});
