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
      if (bytes[at] !== M) {
        const end = bytes.indexOf(LF, at);
        if (end < 0 || end >= to) break;
        this.#line(bytes.toString('latin1', at, end - 1));
        at = end + 1;
        continue;
      }
      const start = at + lineBytes;
      const end = start + payloadBytes;
      if (end + CR_LF.length > to) break;
      // The line is always the same; where its last byte is not, it was another.
      if (bytes[start - 1] !== LF || bytes[end + 1] !== LF)
        throw new BenchFailure(`this came: ${bytes.toString('latin1', at, start)}`);
      this.deliver(view, start, end);
      at = end + CR_LF.length;
    }
    return at;
  }

  #line(line: string): void {
    if (line === 'PING') this.connection.write(Buffer.from('PONG\r\n'));
    else if (line.startsWith('-ERR')) throw new BenchFailure(`nats-server says ${line}`);
    else this.heard(line);
  }
}
