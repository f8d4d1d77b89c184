import type { Cancel } from '../clock.js';
import { Counters } from '../counters.js';
import { isBootloaderAnswer } from '../links/serial/bootloader.js';
import type { FoundPort } from '../links/serial/discovery.js';
import { type LineFault, LineMonitor } from '../links/serial/line-monitor.js';
import { openPrepared } from '../links/serial/open-port.js';
import type { PortStream } from '../links/serial/port.js';
import { LISTEN_MS, RateSearch } from '../links/serial/rate-search.js';
import { SerialLink } from '../links/serial/serial-link.js';
import { decodePacket } from '../wire/decode.js';
import type { Host } from './host.js';

/** What came from a port that was listened to. */
export type Heard =
  | { readonly what: 'packets'; readonly baud: number; readonly identity?: string }
  | { readonly what: 'text'; readonly baud: number; readonly line: string }
  | { readonly what: LineFault | 'lost' };

const MAX_PACKET_BYTES = 65_535;
/** "Are you there?" in the language of AVR bootloaders (STK_GET_SYNC, CRC_EOP), and how long an answer may take, ms. */
const STK500_QUESTION = Buffer.from([0x30, 0x20]);
const STK500_ANSWER_MS = 300;
/** The rates of the bootloaders of an Uno, and of older Nanos. */
const BOOTLOADER_RATES = [115_200, 57_600];

/**
 * Opens a port that nobody uses, listens until its board is understood at one of `rates` or it is clear what is wrong, and
 * closes it. Nothing is written, unless all is silent: then it asks whether a bootloader is there.
 * @throws whatever opening the port fails with
 */
export async function listenTo({ device }: FoundPort, rates: readonly number[], host: Host): Promise<Heard> {
  const search = new RateSearch(rates);
  const wanted = { device, dtr: 'never', low_latency: false } as const;
  const { port } = await openPrepared(host.openPort, search.rate, wanted, host.clock);
  const ear = new Ear(port, search, host);
  try {
    const heard = await ear.listen();
    return heard.what === 'silent' && (await ear.findsBootloader()) ? { what: 'bootloader' } : heard;
  } finally {
    await ear.close();
  }
}

/** A link and its monitor, on a port that is open, for as long as it takes. */
class Ear {
  readonly #port: PortStream;
  readonly #search: RateSearch;
  readonly #host: Host;
  readonly #link: SerialLink;
  readonly #monitor: LineMonitor;
  #heard: (heard: Heard) => void = () => {};
  #text: Heard | undefined;
  /** What came is text, in any case. */
  #sure = false;
  #answered = false;
  #anything = false;
  #cancel: Cancel = () => {};

  constructor(port: PortStream, search: RateSearch, host: Host) {
    this.#port = port;
    this.#search = search;
    this.#host = host;
    this.#monitor = new LineMonitor({
      search,
      clock: host.clock,
      mayBeSilent: false,
      rateChanged: () => void this.#changeRate(search.rate),
      understood: () => undefined,
      fault: (fault) => this.#heard(fault === 'silent' && this.#text ? this.#text : { what: fault }),
      garbled: () => undefined,
    });
    this.#link = new SerialLink(port, {
      name: 'doctor',
      maxPacket: MAX_PACKET_BYTES,
      maxBacklog: 0,
      clock: host.clock,
      counters: new Counters(),
      onBytes: (chunk) => this.#bytes(chunk),
    });
  }

  async listen(): Promise<Heard> {
    this.#host.progress(`listening at ${this.#search.rate} baud`);
    const heard = new Promise<Heard>((resolve) => {
      this.#heard = resolve;
    });
    // A board that waits for a gateway has said HELLO by then, and one that prints usually something.
    this.#cancel = this.#host.clock.schedule(LISTEN_MS, () => {
      if (!this.#anything) this.#heard({ what: 'silent' });
    });
    this.#link.start(
      this.#monitor.between({
        packet: (packet) => this.#packet(packet),
        text: (line) => this.#line(line),
        closed: () => this.#heard({ what: 'lost' }),
      }),
    );
    return heard;
  }

  async findsBootloader(): Promise<boolean> {
    for (const rate of BOOTLOADER_RATES) {
      this.#host.progress(`asking for a bootloader at ${rate} baud`);
      await this.#changeRate(rate);
      this.#answered = false;
      await new Promise<void>((resolve) => this.#port.write(STK500_QUESTION, () => resolve()));
      await new Promise<void>((resolve) => this.#host.clock.schedule(STK500_ANSWER_MS, resolve));
      if (this.#answered) return true;
    }
    return false;
  }

  async close(): Promise<void> {
    this.#cancel();
    this.#monitor.stop();
    await this.#link.close();
  }

  #bytes(chunk: Uint8Array): void {
    this.#anything = true;
    this.#answered = isBootloaderAnswer(chunk);
    this.#monitor.bytes(chunk);
  }

  #packet(packet: Uint8Array): void {
    const baud = this.#search.rate;
    this.#heard({ what: 'packets', baud, ...identityIn(packet) });
  }

  #line(line: string): void {
    const text: Heard = { what: 'text', baud: this.#search.rate, line };
    this.#text = text;
    if (!this.#search.found || this.#sure) return;
    this.#sure = true;
    // Boot messages come before a HELLO: that is given its time, too.
    this.#cancel();
    this.#cancel = this.#host.clock.schedule(LISTEN_MS, () => this.#heard(text));
  }

  #changeRate(baudRate: number): Promise<void> {
    this.#link.rateChanged();
    this.#host.progress(`listening at ${baudRate} baud`);
    return new Promise((resolve) => this.#port.update({ baudRate }, () => resolve()));
  }
}

function identityIn(packet: Uint8Array): { identity?: string } {
  try {
    const [first] = decodePacket(packet, 'peer');
    return first?.type === 'hello' ? { identity: first.identity } : {};
  } catch {
    return {}; // Its CRC was right: of a later version, perhaps.
  }
}
