import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameEncoder, longestFrame } from '../../../src/links/serial/slip.js';
import { Splitter } from '../../../src/links/serial/splitter.js';
import { Random } from '../../support/random.js';

const MAX_PACKET = 64;
const encoder = new FrameEncoder();
const frame = (...bytes: number[]) => encoder.encode(Uint8Array.from(bytes));
const text = (line: string) => Buffer.from(line);
const PACKET = [0x80, 0x07, 0xc0, 0xdb, 0x0a, 0x41];
const P = `packet ${Buffer.from(PACKET).toString('hex')}`;

/** What a splitter tells of `chunks`, in order; `'idle'` among them is 250 ms of silence. */
function split(...chunks: (Uint8Array | 'idle')[]): string[] {
  const told: string[] = [];
  const splitter = new Splitter(MAX_PACKET, {
    packet: (packet) => told.push(`packet ${Buffer.from(packet).toString('hex')}`),
    line: (line) => told.push(`line ${line}`),
    drop: (reason, bytes) => told.push(`drop ${reason} ${bytes}`),
  });
  for (const chunk of chunks) {
    if (chunk === 'idle') splitter.idle();
    else splitter.push(chunk);
    expect(splitter.pending).toBeLessThanOrEqual(Math.max(longestFrame(MAX_PACKET), 256));
  }
  return told;
}

describe('frames', () => {
  it('come out as packets, escapes undone', () => {
    expect([...frame(0x80, 0xc0, 0xdb)].slice(0, 6)).toEqual([0xc0, 0x80, 0xdb, 0xdc, 0xdb, 0xdd]);
    expect(split(frame(...PACKET))).toEqual([P]);
  });

  it('are the same at whatever byte the stream is cut', () => {
    const stream = Buffer.concat([
      text('boot\r\n'),
      frame(...PACKET),
      text('é ok\n'),
      frame(0x90),
      text('bye'),
    ]);
    const whole = split(stream, 'idle');
    expect(whole).toEqual(['line boot', P, 'line é ok', 'packet 90', 'line bye']);
    for (let at = 0; at <= stream.length; at++) {
      expect(split(stream.subarray(0, at), stream.subarray(at), 'idle')).toEqual(whole);
    }
    expect(split(...Array.from(stream, (byte) => Uint8Array.of(byte)), 'idle')).toEqual(whole);
  });

  it('may share an END, and empty ones are nothing', () => {
    const one = frame(0x81);
    const two = frame(0x82);
    expect(split(Buffer.concat([one, two.subarray(1)]))).toEqual(['packet 81', 'packet 82']);
    expect(split(Uint8Array.of(0xc0, 0xc0, 0xc0))).toEqual([]);
  });

  it('survive silence in their middle', () => {
    const whole = frame(...PACKET);
    for (let at = 1; at < whole.length; at++) {
      expect(split(whole.subarray(0, at), 'idle', whole.subarray(at)), `cut at ${at}`).toEqual([P]);
    }
  });

  it('come through after noise, whose bytes are counted', () => {
    expect(split(Uint8Array.of(0xff, 0x00, 0x80), frame(...PACKET))).toEqual(['drop crc 3', P]);
  });

  it('with a byte changed are dropped, and the next one arrives', () => {
    const good = frame(0x80, 0x81, 0x82, 0x83);
    for (let at = 1; at < good.length - 1; at++) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 0x11;
      const told = split(bad, frame(...PACKET));
      expect(told.at(-1)).toBe(P);
      expect(told.filter((line) => line.startsWith('packet'))).toEqual([P]);
    }
  });

  it.each([
    ['a wrong escape', [0x80, 0xdb, 0x41, 0x80]],
    ['an escape before the END', [0x80, 0x41, 0xdb]],
    ['a doubled escape', [0x80, 0xdb, 0xdb, 0xdc]],
  ])('with %s are dropped as `escape` and spoil nothing after them', (_, bytes) => {
    const told = split(Uint8Array.of(0xc0, ...bytes, 0xc0), frame(...PACKET), frame(0x90));
    expect(told).toEqual([`drop escape ${bytes.length}`, P, 'packet 90']);
  });

  it('that hold a CRC alone are no packet', () => {
    expect(split(Uint8Array.of(0xc0, 0xff, 0xff, 0xc0))).toEqual(['drop crc 2']);
  });

  it('of the largest packet arrive, of one byte more do not', () => {
    const largest = Buffer.alloc(MAX_PACKET, 0xc0);
    expect(split(encoder.encode(largest))).toEqual([`packet ${largest.toString('hex')}`]);
    const larger = Buffer.alloc(MAX_PACKET + 1, 0x80);
    expect(split(encoder.encode(larger), frame(0x90))).toEqual([
      `drop oversize ${MAX_PACKET + 3}`,
      'packet 90',
    ]);
  });

  it('far too long are swallowed up to their END', () => {
    const told = split(encoder.encode(Buffer.alloc(1000, 0x80)), frame(...PACKET));
    expect(told[0]).toBe(`drop oversize 256`);
    expect(told.slice(1, -1).every((line) => line.startsWith('drop noise'))).toBe(true);
    expect(told.at(-1)).toBe(P);
  });

  it('are not aliased to bytes that are reused', () => {
    const kept: Uint8Array[] = [];
    const splitter = new Splitter(MAX_PACKET, {
      packet: (packet) => kept.push(Uint8Array.from(packet)),
      line: () => {},
      drop: () => {},
    });
    const chunk = frame(0x80, 1, 2, 3);
    splitter.push(chunk);
    chunk.fill(0);
    splitter.push(frame(0x80, 9, 9, 9));
    expect(kept.map((packet) => [...packet])).toEqual([
      [0x80, 1, 2, 3],
      [0x80, 9, 9, 9],
    ]);
  });
});

describe('text', () => {
  it('is ended by LF, CR LF or CR; blank lines are nothing', () => {
    expect(split(text('a\nb\r\nc\rd\n\n\r\n'))).toEqual(['line a', 'line b', 'line c', 'line d']);
  });

  it('is told before the packet that follows it, with no line end between', () => {
    expect(split(text('x='), frame(...PACKET), text('y\n'))).toEqual(['line x=', P, 'line y']);
  });

  it('may begin with a character of several bytes', () => {
    expect(split(text('é\n°C\r\n温度 21\n🌡️ 5\n'))).toEqual(['line é', 'line °C', 'line 温度 21', 'line 🌡️ 5']);
    expect(split(text('°C 21'))).toEqual([]);
    expect(split(text('°C 21'), 'idle')).toEqual(['line °C 21']);
    expect(split(text('°C 21'), Uint8Array.of(0xc0))).toEqual(['line °C 21']);
  });

  it('that began with ASCII is told whatever else it holds', () => {
    expect(split(Buffer.from('21 \xb0C\0\n', 'latin1'))).toEqual(['line 21 \uFFFDC\uFFFD']);
  });

  it('keeps tabs and colours', () => {
    expect(split(text('\u001b[32mok\u001b[0m\tyes\n'))).toEqual(['line \u001b[32mok\u001b[0m\tyes']);
  });

  it('that is no line yet is one after silence', () => {
    expect(split(text('> '))).toEqual([]);
    expect(split(text('> '), 'idle', text('go\n'))).toEqual(['line > ', 'line go']);
    expect(split('idle', 'idle')).toEqual([]);
  });

  it('of 256 bytes is one line, of more it is cut', () => {
    expect(split(text(`${'a'.repeat(256)}\n`))).toEqual([`line ${'a'.repeat(256)}`]);
    expect(split(text(`${'a'.repeat(256)}bc\n`))).toEqual([`line ${'a'.repeat(256)}`, 'line bc']);
  });

  it('is cut between characters', () => {
    const long = `a${'é'.repeat(200)}`;
    expect(split(text(`${long}\n`))).toEqual([`line ${long.slice(0, 128)}`, `line ${long.slice(128)}`]);
    const wide = '🌡'.repeat(100);
    expect(
      split(text(`${wide}\n`))
        .map((line) => line.slice(5))
        .join(''),
    ).toBe(wide);
  });

  it('ended by an END that is not printable is noise', () => {
    expect(split(Uint8Array.of(0x41, 0x00, 0x01, 0xc0))).toEqual(['drop crc 3']);
  });

  it('behind one bad byte is told in silence, and the bytes may still be a packet', () => {
    expect(split(Uint8Array.of(0xff), text('lost\nseen\n'), 'idle', 'idle')).toEqual(['line seen']);
    const held = frame(0xff, ...text('lost\nseen\n'));
    expect(split(held.subarray(0, -3), 'idle', held.subarray(-3))).toEqual([
      'line seen',
      `packet ff${text('lost\nseen\n').toString('hex')}`,
    ]);
  });

  it('goes on for ever behind one bad byte, without an END', () => {
    const lines = Array.from({ length: 100 }, (_, i) => `line number ${i}`);
    const told = split(Uint8Array.of(0xff), ...lines.map((line) => text(`${line}\n`)));
    expect(told.slice(-80)).toEqual(lines.slice(-80).map((line) => `line ${line}`));
    expect(told.some((line) => line.startsWith('drop oversize'))).toBe(true);
  });

  it('is no way for an oversize packet to leave `lost` before its END', () => {
    const told = split(
      encoder.encode(Buffer.from(`\x80${'\x80\nabc\n'.repeat(100)}`, 'latin1')),
      frame(0x90),
    );
    expect(told.filter((line) => line.startsWith('packet'))).toEqual(['packet 90']);
  });
});

describe('anything at all', () => {
  const head = fc.integer({ min: 0x80, max: 0xbf });
  const packet = fc
    .tuple(head, fc.uint8Array({ maxLength: MAX_PACKET - 1 }))
    .map(([first, rest]) => Uint8Array.of(first, ...rest));
  const line = fc
    .tuple(fc.constantFrom('a', '°', '温', '🌡'), fc.stringMatching(/^[ -~°é温🌡]{0,40}$/u))
    .map(([first, rest]) => first + rest);
  const cuts = fc.array(fc.nat(2000), { maxLength: 20 });

  function cut(stream: Buffer, at: number[]): Buffer[] {
    const ends = [...at.map((place) => place % (stream.length + 1)), stream.length].sort((a, b) => a - b);
    return ends.map((end, i) => stream.subarray(ends[i - 1] ?? 0, end));
  }

  it('that is packets and lines comes out as they went in, however it is cut', () => {
    const piece = fc.oneof(packet, line);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), cuts, (pieces, at) => {
        const stream = Buffer.concat(
          pieces.map((p) => (typeof p === 'string' ? text(`${p}\n`) : encoder.encode(p))),
        );
        expect(split(...cut(stream, at))).toEqual(
          pieces.map((p) =>
            typeof p === 'string' ? `line ${p}` : `packet ${Buffer.from(p).toString('hex')}`,
          ),
        );
      }),
    );
  });

  it('before a frame does not keep it from arriving, nor lets a packet through that was not sent', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), packet, cuts, (noise, sent, at) => {
        const told = split(...cut(Buffer.concat([noise, encoder.encode(sent)]), at));
        expect(told.at(-1)).toBe(`packet ${Buffer.from(sent).toString('hex')}`);
      }),
    );
  });

  it('of 1 MB is held in no more than one frame, and all of it is accounted for', () => {
    const seed = 0x5eed;
    const generator = new Random(seed);
    const random = () => generator.below(256);
    for (const next of [
      random,
      () => random() | 0x80,
      () => (random() === 0xc0 ? 0x80 : random() & 0x7f),
      () => 0xdb,
    ]) {
      let counted = 0;
      let longest = 0;
      const splitter = new Splitter(MAX_PACKET, {
        packet: (packet) => {
          counted += packet.length;
        },
        line: (line) => {
          counted += line.length;
          longest = Math.max(longest, line.length);
        },
        drop: (_, bytes) => {
          counted += bytes;
        },
      });
      for (let i = 0; i < 256; i++) {
        splitter.push(Uint8Array.from({ length: 4096 }, next));
        expect(splitter.pending).toBeLessThanOrEqual(Math.max(longestFrame(MAX_PACKET), 256));
      }
      expect(longest).toBeLessThanOrEqual(256);
      // All but ENDs and line ends.
      expect(counted, `seed ${seed}`).toBeGreaterThan(1_000_000);
    }
  });
});
