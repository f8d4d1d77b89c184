import { BenchFailure } from '../row.js';
import { Speaker } from './speaker.js';

const CR_LF = Buffer.from('\r\n');
const LF = 10;
const M = 77;

/** The text protocol of NATS. */
export class NatsSpeaker extends Speaker {
  readonly #messageLine = `MSG ${this.load.channel} 1 ${this.load.payloadBytes}\r\n`;

  async greet(): Promise<void> {
    this.connection.write(Buffer.from('CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n'));
    await this.hears<string>((line) => line === 'PONG');
    if (this.part.kind === 'publisher') return;
    this.connection.write(Buffer.from(`SUB ${this.load.channel} 1\r\nPING\r\n`));
    await this.hears<string>((line) => line === 'PONG');
  }

  encode(payloads: readonly Buffer[]): Buffer {
    const line = Buffer.from(`PUB ${this.load.channel} ${this.load.payloadBytes}\r\n`);
    return Buffer.concat(payloads.flatMap((payload) => [line, payload, CR_LF]));
  }

  override delivery(payloads: readonly Buffer[]): Buffer {
    const line = Buffer.from(this.#messageLine);
    return Buffer.concat(payloads.flatMap((payload) => [line, payload, CR_LF]));
  }

  acknowledgement(): Buffer {
    throw new Error('nothing is acknowledged in core NATS');
  }

  read(bytes: Buffer, view: DataView, to: number): number {
    const lineBytes = this.#messageLine.length;
    const { payloadBytes } = this.load;
    let at = 0;
    while (at < to) {
      // Mostly the line is the same; where its last byte is not, it is another.
      const start = at + lineBytes;
      if (bytes[at] === M && bytes[start - 1] === LF && start <= to) {
        const end = start + payloadBytes;
        if (end + CR_LF.length > to) break;
        this.deliver(view, start, end);
        at = end + CR_LF.length;
        continue;
      }
      const next = this.#other(bytes, view, at, to);
      if (next < 0) break;
      at = next;
    }
    return at;
  }

  /** What begins at `at` with another line. Returns where it ends, or -1 when that has not come yet. */
  #other(bytes: Buffer, view: DataView, at: number, to: number): number {
    const lineEnd = bytes.indexOf(LF, at);
    if (lineEnd < 0 || lineEnd >= to) return -1;
    const line = bytes.toString('latin1', at, lineEnd - 1);
    const start = lineEnd + 1;
    const words = line.split(' ');
    if (words[0] !== 'MSG' && words[0] !== 'HMSG') {
      this.#line(line);
      return start;
    }
    // Before the sizes there may be where to answer; behind headers comes what the second one counts, too.
    const size = Number(words.at(-1));
    const headers = words[0] === 'HMSG' ? Number(words.at(-2)) : 0;
    const end = start + size;
    if (!(end + CR_LF.length <= to)) return -1;
    this.deliver(view, start + headers, end);
    return end + CR_LF.length;
  }

  #line(line: string): void {
    if (line === 'PING') this.connection.write(Buffer.from('PONG\r\n'));
    else if (line.startsWith('-ERR')) throw new BenchFailure(`nats-server says ${line}`);
    else this.heard(line);
  }
}
