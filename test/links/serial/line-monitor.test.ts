import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Counters } from '../../../src/counters.js';
import { LineMonitor } from '../../../src/links/serial/line-monitor.js';
import type { PortStream } from '../../../src/links/serial/port.js';
import { LISTEN_MS, RateSearch } from '../../../src/links/serial/rate-search.js';
import { SerialLink } from '../../../src/links/serial/serial-link.js';
import { FrameEncoder } from '../../../src/links/serial/slip.js';
import { encodePacket } from '../../../src/wire/encode.js';
import { Random } from '../../support/random.js';
import { hello } from '../../support/raw-peers.js';
import { forSeeds } from '../../support/seeds.js';
import { heard } from '../../support/uart.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const HELLO_FRAME = new FrameEncoder().encode(encodePacket([hello('uno', { maxPacket: 64 })]));
const RATES = [115_200, 57_600, 38_400, 19_200, 9600];

/** A port that only receives. */
class Wire extends EventEmitter implements PortStream {
  isOpen = true;
  closing = false;
  open(): void {}
  close(done: (error: null) => void): void {
    this.isOpen = false;
    done(null);
  }
  write(): boolean {
    throw new Error('nothing may be written before a valid packet');
  }
  update(): void {}
  set(): void {}
}

/** A board at some rate on a line whose gateway runs at another, perhaps, in virtual time. */
function line(rates: readonly number[], options: { mayBeSilent?: boolean; search?: RateSearch } = {}) {
  const clock = new VirtualClock();
  const search = options.search ?? new RateSearch(rates);
  const wire = new Wire();
  const told: string[] = [];
  const news: string[] = [];
  const say = (text: string) => void (news.at(-1) !== text && news.push(text));
  const monitor = new LineMonitor({
    search,
    clock,
    mayBeSilent: options.mayBeSilent ?? false,
    rateChanged: () => {
      link.rateChanged();
      say(`rate ${search.rate}`);
    },
    understood: () => say('understood'),
    fault: say,
    garbled: () => told.push('garbled'),
  });
  const link = new SerialLink(wire, {
    name: 'bench',
    maxPacket: 1024,
    maxBacklog: 1024,
    clock,
    counters: new Counters(),
    onBytes: (chunk) => monitor.bytes(chunk),
  });
  link.start(
    monitor.between({
      packet: () => told.push('packet'),
      text: (text) => told.push(text),
      closed: () => undefined,
    }),
  );
  const says = (bytes: Uint8Array | string, baud: number) => {
    const sent = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    const arrived = heard(sent, baud, search.rate);
    if (arrived.length > 0) wire.emit('data', Buffer.from(arrived));
  };
  return { clock, search, monitor, told, news, says };
}

/** Says HELLO as a board does that nobody answers: 250 ms, doubling to 8 s, each ± 25 %. */
function greetForEver(clock: VirtualClock, random: Random, say: () => void): void {
  const again = (pause: number) => {
    say();
    clock.schedule(pause * (0.75 + random.below(1000) / 2000), () => again(Math.min(pause * 2, 8000)));
  };
  again(250);
}

describe('a UART at another rate', () => {
  it('hears what was said when the rates agree, and something else when they do not', () => {
    const text = Buffer.from('boot 1.0\r\n\x00\xff\xc0');
    for (const baud of RATES) {
      expect(heard(text, baud, baud)).toEqual(Uint8Array.from(text));
      for (const other of RATES) {
        if (other !== baud) expect(heard(text, baud, other)).not.toEqual(Uint8Array.from(text));
      }
    }
  });
});

describe('the rate is found', () => {
  it('of a board that says HELLO, whichever it is and whenever it began', () =>
    forSeeds(100, (seed) => {
      const random = new Random(seed);
      const baud = RATES[random.below(RATES.length)] as number;
      const { clock, says, search, told, news } = line(RATES);
      clock.advance(random.below(40_000));
      greetForEver(clock, random, () => says(HELLO_FRAME, baud));
      clock.until(() => search.found, LISTEN_MS * RATES.length + 1000, `${baud} baud found`);
      expect(search.rate).toBe(baud);
      expect(told.filter((item) => item !== 'garbled')).toEqual(['packet']);
      clock.advance(120_000);
      expect(search.rate).toBe(baud);
      expect(news.at(-1)).toBe('understood');
    }));

  it('of a board that prints', () =>
    forSeeds(100, (seed) => {
      const random = new Random(seed);
      const baud = RATES[random.below(RATES.length)] as number;
      const { clock, says, search, told } = line(RATES);
      const every = 100 + random.below(4000);
      const print = () => {
        says(`temperature ${random.below(100)}.${random.below(10)} C\r\n`, baud);
        clock.schedule(every, print);
      };
      print();
      clock.until(() => search.found, LISTEN_MS * RATES.length + 1000, `${baud} baud found`);
      expect(search.rate).toBe(baud);
      const lines = told.filter((item) => item !== 'garbled');
      expect(lines.every((text) => /^temperature \d+\.\d C$/.test(text))).toBe(true);
    }));
});

describe('a rate that was found', () => {
  it('is tried first when the port is opened again', () => {
    const first = line([115_200, 9600]);
    first.says(HELLO_FRAME, 9600);
    first.clock.advance(400);
    first.says(HELLO_FRAME, 9600);
    expect(first.search.found).toBe(true);
    const second = line([], { search: first.search });
    expect(second.search.rate).toBe(9600);
    expect(second.search.found).toBe(false);
  });

  it('survives bursts of noise, and is given up for a board that speaks at another rate now', () => {
    const { clock, says, search, news } = line([115_200, 57_600]);
    const random = new Random(7);
    says(HELLO_FRAME, 115_200);
    for (let i = 0; i < 20; i++) {
      clock.advance(3000);
      says(random.bytes(40), 115_200);
      clock.advance(3000);
      says(HELLO_FRAME, 115_200);
    }
    expect(search.found).toBe(true);
    expect(news).toEqual(['understood']);
    greetForEver(clock, random, () => says(HELLO_FRAME, 57_600));
    clock.until(() => search.rate === 57_600 && search.found, 60_000, 'the new rate found');
    expect(news).toEqual(['understood', 'rate 57600', 'understood']);
  });
});

describe('a rate', () => {
  it('is not left for silence, in which no other would hear more', () => {
    const { clock, search, says } = line([115_200, 57_600]);
    clock.advance(300_000);
    expect(search.rate).toBe(115_200);
    says(HELLO_FRAME, 115_200);
    expect(search.found).toBe(true);
  });
});

describe('what is wrong', () => {
  it('is told of a board that says nothing, and that it is well when it speaks', () => {
    const { clock, news, says } = line([115_200]);
    clock.advance(29_000);
    expect(news).toEqual([]);
    clock.advance(600_000);
    expect(news).toEqual(['silent']);
    says('hello\n', 115_200);
    expect(news).toEqual(['silent', 'understood']);
    clock.advance(600_000);
    expect(news).toEqual(['silent', 'understood']);
  });

  it('is not told where silence is as it should be', () => {
    const { clock, news } = line([115_200], { mayBeSilent: true });
    clock.advance(600_000);
    expect(news).toEqual([]);
  });

  it('is told of noise at the only rate, after a boot message at another rate had its time', () => {
    const { clock, news, says } = line([115_200]);
    says('ets Jan  8 2013,rst cause:1, boot mode:(3,6)\r\n', 74_880);
    clock.advance(2000);
    says(HELLO_FRAME, 115_200);
    expect(news).toEqual(['understood']);
    for (let i = 0; i < 40; i++) {
      clock.advance(1000);
      says(HELLO_FRAME, 9600);
    }
    expect(news).toEqual(['understood', 'noise']);
    says(HELLO_FRAME, 115_200);
    expect(news).toEqual(['understood', 'noise', 'understood']);
  });

  it('is told when no rate of a list makes sense, after all were tried', () => {
    const { clock, news, says } = line([115_200, 57_600]);
    for (let i = 0; i < 60; i++) {
      says(HELLO_FRAME, 9600);
      clock.advance(1000);
    }
    expect(news.filter((item) => !item.startsWith('rate'))).toContain('noise');
    expect(news).not.toContain('silent');
  });

  it.each([
    [
      'an ESP in download mode',
      'rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD(USB/UART0))\r\nwaiting for download\r\n',
    ],
    ['an AVR bootloader that was spoken to', '\x14\x10'],
  ])('is told of %s', (_, text) => {
    const { clock, news, says } = line([115_200]);
    says(text, 115_200);
    clock.advance(9000);
    expect(news).toEqual([]);
    clock.advance(60_000);
    expect(news).toEqual(['bootloader']);
    says(HELLO_FRAME, 115_200);
    expect(news).toEqual(['bootloader', 'understood']);
  });

  it('is not told of a bootloader that starts its sketch', () => {
    const { clock, news, says } = line([115_200]);
    says('\x14\x10', 115_200);
    clock.advance(2000);
    says('sensor started\n', 115_200);
    clock.advance(60_000);
    expect(news).toEqual(['understood']);
  });
});
