import { FrameEncoder, longestFrame } from '../../../src/links/serial/slip.js';
import { Splitter } from '../../../src/links/serial/splitter.js';
import { beginsWithWideCharacter, printable } from '../../../src/links/serial/text.js';
import { crc16 } from '../../../src/wire/crc.js';
import { MAX_TEXT_LINE_BYTES } from '../../../src/wire/limits.js';
import { Choices } from '../choices.js';
import { must, type Target } from '../target.js';

const END = 0xc0;
const encoder = new FrameEncoder();

/** What a line carries: noise, frames, text, ENDs and ESCs, in any order. */
function anyLine(choices: Choices): Buffer {
  const pieces: Uint8Array[] = [];
  while (choices.left > 0) {
    switch (choices.below(5)) {
      case 0:
        pieces.push(choices.bytes(1 + choices.below(40)));
        break;
      case 1:
        pieces.push(
          Uint8Array.from(
            [END, 0xdb, 0xdc, 0xdd, 0x0a, 0x0d].slice(choices.below(6)).slice(0, 1 + choices.below(2)),
          ),
        );
        break;
      case 2: {
        const text = choices.pick([
          'boot\r\n',
          'é 21°C\n',
          '\u001b[1mx\n',
          '\0',
          'x'.repeat(300),
          'é'.repeat(200),
        ]);
        pieces.push(Buffer.from(text));
        break;
      }
      default: {
        const packet = Uint8Array.of(choices.u8() | 0x80, ...choices.bytes(choices.below(70)));
        pieces.push(encoder.encode(packet).subarray(choices.below(8) === 0 ? 1 : 0));
      }
    }
  }
  return Buffer.concat(pieces);
}

interface Told {
  readonly packets: string[];
  readonly all: string[];
  readonly bytes: number;
}

/** Splits it in chunks of the sizes that `cut` says, with silences where `silent` says so. */
function split(line: Buffer, maxPacket: number, cut: () => number, silent: () => boolean): Told {
  const packets: string[] = [];
  const all: string[] = [];
  let bytes = 0;
  const splitter = new Splitter(maxPacket, {
    packet: (packet) => {
      packets.push(Buffer.from(packet).toString('hex'));
      all.push(`packet ${packets.at(-1)}`);
      bytes += packet.length;
    },
    line: (text) => {
      must(text !== '', 'a line is not empty');
      all.push(`line ${text}`);
    },
    drop: (reason, count) => {
      must(count > 0, 'what is dropped is counted');
      all.push(`drop ${reason} ${count}`);
      bytes += count;
    },
  });
  for (let at = 0; at < line.length; ) {
    const size = cut();
    const chunk = Uint8Array.from(line.subarray(at, at + size));
    splitter.push(chunk);
    chunk.fill(0xee);
    at += size;
    must(
      splitter.pending <= Math.max(longestFrame(maxPacket), MAX_TEXT_LINE_BYTES),
      'no more than a frame is held',
    );
    if (silent()) splitter.idle();
  }
  // Whatever came before, a frame between ENDs is a packet.
  splitter.push(encoder.encode(Uint8Array.of(0x80, 1, 2)));
  must(all.at(-1) === 'packet 800102', 'a good frame arrives whatever came before it');
  return { packets: packets.slice(0, -1), all, bytes };
}

/** The length of the line of text that stands at the beginning, with its end; 0 if none does (PROTOCOL.md §8). */
function lineAt(bytes: Buffer): number {
  const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  if (end < 0) return 0;
  const wide = beginsWithWideCharacter(bytes) && printable(bytes.subarray(0, end)) !== undefined;
  return wide || (bytes[0] as number) < 0x80 ? end + 1 : 0;
}

/** The packet of the bytes up to an END, as §2.1 has it and §8 leaves it; `maybe` where they may be text as well. */
function frameOf(bytes: Buffer, maxPacket: number): { hex: string | undefined; maybe: boolean } {
  let raw = bytes;
  // A stretch begins behind a line of text.
  for (let line = lineAt(raw); line > 0; line = lineAt(raw)) raw = raw.subarray(line);
  const frame: number[] = [];
  let right = (raw[0] ?? 0) >= 0x80;
  for (let i = 0; i < raw.length; i++) {
    if (raw[i] !== 0xdb) frame.push(raw[i] as number);
    else if (raw[++i] === 0xdc) frame.push(END);
    else if (raw[i] === 0xdd) frame.push(0xdb);
    else right = false;
  }
  right &&= frame.length > 2 && frame.length - 2 <= maxPacket && crc16(Uint8Array.from(frame)) === 0;
  return {
    hex: right ? Buffer.from(frame.slice(0, -2)).toString('hex') : undefined,
    maybe: beginsWithWideCharacter(raw) && raw.length > MAX_TEXT_LINE_BYTES,
  };
}

/** Between two ENDs there is the packet that the plain reading finds there, and no other. */
function checkFrames(line: Buffer, maxPacket: number): void {
  const packets: string[] = [];
  const ignored = () => undefined;
  const packet = (bytes: Uint8Array) => void packets.push(Buffer.from(bytes).toString('hex'));
  const splitter = new Splitter(maxPacket, { packet, line: ignored, drop: ignored });
  for (let start = 0, end = line.indexOf(END); end >= 0; start = end + 1, end = line.indexOf(END, start)) {
    splitter.push(line.subarray(start, end + 1));
    const found = packets.splice(0).join();
    const { hex = '', maybe } = frameOf(line.subarray(start, end), maxPacket);
    must(found === hex || maybe, `what stands between ENDs is the packet "${hex}", not "${found}"`);
  }
}

/** A serial line: its packets are found, its text is told, and it does not matter how the bytes come. */
export const splitter: Target = {
  name: 'splitter',
  maxBytes: 1500,
  dictionary: [
    Uint8Array.of(END),
    Uint8Array.of(0xdb, 0xdc),
    Uint8Array.of(0xc3, 0xa9),
    Uint8Array.of(3, 0x80, 4, 1, 2, 3, 4),
  ],
  seeds: () => [Uint8Array.of(0, 0, 3, 0x80, 5, 1, 2, 3, 4, 5, 2, 0, 1, 0, 0, 4, 0xff, 3, 0xc0, 0xdb, 0)],
  run(input) {
    const choices = new Choices(input);
    const maxPacket = choices.pick([48, 64, 1024]);
    let sizes = choices.u8();
    const line = anyLine(choices);
    const whole = split(
      line,
      maxPacket,
      () => line.length,
      () => false,
    );
    must(whole.bytes <= line.length + 3, 'nothing is told that did not come');
    checkFrames(line, maxPacket);
    const next = () => {
      sizes = (sizes * 5 + 1) & 0xff;
      return 1 + (sizes % 17);
    };
    const pieces = split(line, maxPacket, next, () => false);
    must(pieces.all.join('\n') === whole.all.join('\n'), 'it does not matter in what pieces the bytes come');
    split(line, maxPacket, next, () => sizes % 5 === 0);
    return whole.all.map((told) => /^(packet|line|drop \w+)/.exec(told)?.[0] ?? '');
  },
};
