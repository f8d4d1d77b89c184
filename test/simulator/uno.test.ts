import { describe, expect, test } from 'vitest';
import { Counters } from '../../src/counters.js';
import { parseIntelHex } from '../../src/simulator/intel-hex.js';
import { HOST_QUEUE_BYTES, type UnoOptions, VirtualUno } from '../../src/simulator/uno.js';
import { describeWithTools } from '../support/tools.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { AVR_TOOLS, CYCLES_PER_BYTE, compile, ECHO } from './compile.js';

const MS_PER_BYTE = CYCLES_PER_BYTE / 16_000;

/** A clock of a machine that can sleep: time passes and nothing runs. */
class SleepyClock extends VirtualClock {
  #slept = 0;

  override now(): number {
    return super.now() + this.#slept;
  }

  sleep(ms: number): void {
    this.#slept += ms;
  }
}

interface Bench {
  readonly uno: VirtualUno;
  readonly counters: Counters;
  readonly received: number[];
  readonly text: () => string;
}

async function bench(source: string, options: UnoOptions = {}): Promise<Bench> {
  const counters = new Counters();
  const uno = new VirtualUno(parseIntelHex(await compile(source)), { counters, ...options });
  const received: number[] = [];
  uno.onData((bytes) => received.push(...bytes));
  return { uno, counters, received, text: () => Buffer.from(received).toString('latin1') };
}

describe('VirtualUno', () => {
  test('refuses a firmware that is empty or larger than the flash', () => {
    expect(() => new VirtualUno(new Uint8Array())).toThrow(/0 bytes/);
    expect(() => new VirtualUno(new Uint8Array(32_769))).toThrow(/32769 bytes/);
  });

  test('survives a firmware that runs off the end of the flash', () => {
    const uno = new VirtualUno(Uint8Array.of(0, 0));
    uno.runFor(10);
    expect(uno.ms).toBeCloseTo(10, 2);
  });
});

describeWithTools(AVR_TOOLS, 'the UART of a VirtualUno', () => {
  test('sends back what it receives', async () => {
    const { uno, text, counters } = await bench(ECHO);
    uno.runFor(5);
    uno.write(Buffer.from('hello'));
    uno.runFor(5);
    expect(text()).toBe('readyhello');
    expect(counters.snapshot()).toEqual({});
  });

  test('sends bytes back to back, each as long as the baud rate says', async () => {
    const { uno, received } = await bench('int main(void) { uart(); for (;;) put(0x55); }');
    uno.runFor(1000);
    const expected = 1000 / MS_PER_BYTE;
    expect(received.length).toBeGreaterThan(expected - 2);
    expect(received.length).toBeLessThanOrEqual(expected);
  });

  test('delivers bytes no faster than the line carries them', async () => {
    const { uno, received } = await bench(ECHO);
    uno.runFor(5);
    received.length = 0;
    uno.write(new Uint8Array(1000));
    uno.runFor(400 * MS_PER_BYTE);
    expect(uno.pending).toBeGreaterThanOrEqual(1000 - 402);
    expect(received.length).toBeLessThanOrEqual(400);
    uno.runFor(603 * MS_PER_BYTE);
    expect(uno.pending).toBe(0);
    expect(received.length).toBe(1000);
  });

  test('keeps two bytes and the shift register when nobody reads, and counts what overruns', async () => {
    const { uno, received, counters } = await bench(`
      int main(void) {
        uart();
        _delay_ms(20);
        while (UCSR0A & 1 << RXC0) { uint8_t overrun = UCSR0A & 1 << DOR0; put(UDR0); put(overrun ? '!' : '.'); }
        for (;;) {}
      }`);
    uno.runFor(1);
    uno.write(Buffer.from('abcdefgh'));
    uno.runFor(30);
    expect(Buffer.from(received).toString()).toBe('a!b.h.');
    expect(counters.get('uno.drop.overrun')).toBe(5);
  });

  test('runs receive and transmit interrupts, so that a 64-byte ring in the sketch overflows as on the chip', async () => {
    const { uno, text, counters } = await bench(`
      static volatile uint8_t ring[64], in, out;
      ISR(USART_RX_vect) {
        uint8_t byte = UDR0, next = (in + 1) % 64;
        if (next != out) { ring[in] = byte; in = next; }
      }
      ISR(USART_UDRE_vect) {
        if (in == out) UCSR0B &= ~(1 << UDRIE0);
        else { UDR0 = ring[out]; out = (out + 1) % 64; }
      }
      int main(void) {
        uart();
        UCSR0B |= 1 << RXCIE0;
        sei();
        _delay_ms(20);
        UCSR0B |= 1 << UDRIE0;
        for (;;) {}
      }`);
    const sent = Array.from({ length: 100 }, (_, index) => String.fromCharCode(32 + (index % 90))).join('');
    uno.runFor(1);
    uno.write(Buffer.from(sent));
    uno.runFor(40);
    expect(text()).toBe(sent.slice(0, 63));
    expect(counters.snapshot()).toEqual({});
  });

  // Between the two halves of the stack pointer compilers rely on it.
  test('serves no interrupt before the instruction that follows the one which allows them', async () => {
    const { uno, text } = await bench(`
      ISR(TIMER0_COMPA_vect) { put('0' + GPIOR0); }
      int main(void) {
        uart();
        TIMSK0 = 1 << OCIE0A; TCCR0B = 1 << CS00;
        _delay_us(100);
        asm volatile("sei\\n out %0, %1\\n cli" :: "I"(_SFR_IO_ADDR(GPIOR0)), "r"((uint8_t)1));
        _delay_us(100);
        asm volatile("out __SREG__, %2\\n out %0, %1\\n cli" :: "I"(_SFR_IO_ADDR(GPIOR0)), "r"((uint8_t)2), "r"((uint8_t)0x80));
        for (;;) {}
      }`);
    uno.runFor(2);
    expect(text()).toBe('12');
  });

  test('goes on with the program, an instruction at a time, under an interrupt that always waits', async () => {
    const { uno } = await bench(`
      ISR(USART_UDRE_vect, ISR_NAKED) { asm("reti"); }
      int main(void) { uart(); DDRB = 1 << PB5; UCSR0B |= 1 << UDRIE0; sei(); PORTB = 1 << PB5; for (;;) {} }`);
    const led: boolean[] = [];
    uno.onPin(13, (high) => led.push(high));
    uno.runFor(2);
    expect(led).toEqual([true]);
  });

  test('raises TXC when the last byte has left, not before', async () => {
    const { uno, received } = await bench(`
      int main(void) {
        uart();
        DDRB = 1 << PB5;
        put('x'); put('y');
        while (!(UCSR0A & 1 << TXC0)) {}
        PORTB = 1 << PB5;
        for (;;) {}
      }`);
    let at = 0;
    uno.onPin(13, () => {
      at = uno.ms;
    });
    uno.runFor(2);
    expect(received).toEqual([...Buffer.from('xy')]);
    expect(at).toBeGreaterThanOrEqual(2 * MS_PER_BYTE);
    expect(at).toBeLessThan(2 * MS_PER_BYTE + 0.02);
  });

  test('loses, and counts, what arrives while the receiver is off', async () => {
    const { uno, counters, text } = await bench(
      `int main(void) { _delay_ms(5); uart(); for (;;) put(get()); }`,
    );
    uno.write(Buffer.from('lost'));
    uno.runFor(6);
    uno.write(Buffer.from('heard'));
    uno.runFor(5);
    expect(text()).toBe('heard');
    expect(counters.snapshot()).toEqual({ 'uno.drop.receiver_off': 4 });
  });

  test('takes no more than its queue holds, counts the rest and tells when there is room', async () => {
    const { uno, counters } = await bench(ECHO);
    let calls = 0;
    uno.onRoom(() => calls++);
    expect(uno.write(new Uint8Array(HOST_QUEUE_BYTES + 7))).toBe(HOST_QUEUE_BYTES);
    expect(counters.get('uno.drop.queue_full')).toBe(7);
    expect(calls).toBe(0);
    uno.runFor(2);
    expect(calls).toBe(2);
    expect(uno.room).toBe(HOST_QUEUE_BYTES - uno.pending);
    expect(uno.room).toBeGreaterThan(0);
    uno.discardPending();
    expect(uno.pending).toBe(0);
  });
});

describeWithTools(AVR_TOOLS, 'the peripherals of a VirtualUno', () => {
  test('runs interrupts of timers 0, 1 and 2, and reports pins at the moment that they change', async () => {
    const { uno } = await bench(`
      ISR(TIMER0_COMPA_vect) { PIND = 1 << PD7; }
      ISR(TIMER1_COMPA_vect) { PINB = 1 << PB5; }
      ISR(TIMER2_COMPA_vect) { PINC = 1 << PC0; }
      int main(void) {
        DDRD = 1 << PD7; DDRB = 1 << PB5; DDRC = 1 << PC0;
        TCCR0A = 1 << WGM01; OCR0A = 249; TIMSK0 = 1 << OCIE0A; TCCR0B = 1 << CS01 | 1 << CS00;
        OCR1A = 19999; TIMSK1 = 1 << OCIE1A; TCCR1B = 1 << WGM12 | 1 << CS11;
        TCCR2A = 1 << WGM21; OCR2A = 124; TIMSK2 = 1 << OCIE2A; TCCR2B = 1 << CS22 | 1 << CS21;
        sei();
        for (;;) {}
      }`);
    for (const [pin, period] of [
      [7, 1],
      [13, 10],
      [14, 2],
    ] as const) {
      const changes: { high: boolean; at: number }[] = [];
      const end = uno.onPin(pin, (high) => changes.push({ high, at: uno.ms }));
      uno.runFor(200);
      end();
      expect(changes).toHaveLength(200 / period);
      for (const [index, change] of changes.entries()) {
        const before = changes[index - 1];
        if (!before) continue;
        expect(change.high).toBe(!before.high);
        expect(Math.abs(change.at - before.at - period)).toBeLessThan(0.01);
      }
    }
  });

  test('converts the voltages that it is given', async () => {
    const { uno, received } = await bench(
      `
      static uint8_t sample(uint8_t channel) {
        ADMUX = 1 << REFS0 | 1 << ADLAR | channel;
        ADCSRA = 1 << ADEN | 1 << ADSC | 7;
        while (ADCSRA & 1 << ADSC) {}
        return ADCH;
      }
      int main(void) { uart(); put(sample(0)); put(sample(3)); put(sample(5)); for (;;) {} }`,
      { analog: (channel) => [5, 0, 0, 2.5][channel] ?? 0 },
    );
    uno.runFor(5);
    expect(received).toEqual([255, 128, 0]);
  });

  test('shows a slowly changing voltage with noise by default', async () => {
    const { uno, received } = await bench(`
      int main(void) {
        uart();
        for (;;) {
          ADMUX = 1 << REFS0;
          ADCSRA = 1 << ADEN | 1 << ADSC | 7;
          while (ADCSRA & 1 << ADSC) {}
          uint16_t steps = ADC;
          put(steps >> 8); put(steps);
          _delay_ms(10);
        }
      }`);
    uno.runFor(2000);
    const readings = Array.from({ length: received.length >> 1 }, (_, index) =>
      Buffer.from(received).readUInt16BE(2 * index),
    );
    expect(readings.length).toBeGreaterThan(150);
    // 0.67 to 0.77 V of 5 V.
    for (const reading of readings) expect(reading >= 136 && reading <= 159).toBe(true);
    for (const [index, reading] of readings.entries()) {
      expect(Math.abs(reading - (readings[index - 1] ?? reading))).toBeLessThanOrEqual(3);
    }
    expect(new Set(readings).size).toBeGreaterThanOrEqual(3);
  });

  test('reads an input with its pull-up as high, without as low', async () => {
    const { uno, received } = await bench(`
      int main(void) { uart(); PORTD = 1 << PD2; _delay_us(1); put(PIND & (1 << PD2 | 1 << PD3)); for (;;) {} }`);
    uno.runFor(2);
    expect(received).toEqual([1 << 2]);
  });
});

const BOOTS = `
  static uint8_t EEMEM stored;
  static uint8_t boots __attribute__((section(".noinit")));
  int main(void) {
    uint8_t cause = MCUSR;
    uart();
    DDRB = 1 << PB5; PORTB = 1 << PB5;
    uint8_t powered = eeprom_read_byte(&stored) + 1;
    if (cause & 1 << PORF) eeprom_write_byte(&stored, powered);
    eeprom_busy_wait();
    put(cause); put(++boots); put(powered);
    if (get() == 'w') wdt_enable(WDTO_15MS);
    for (;;) {}
  }`;

describeWithTools(AVR_TOOLS, 'resets of a VirtualUno', () => {
  const fillSram = (sram: Uint8Array): Uint8Array => sram.fill(41);

  test('reset() starts the sketch anew; SRAM and EEPROM keep their content, pins let go', async () => {
    const { uno, received } = await bench(BOOTS, { fillSram });
    const led: boolean[] = [];
    uno.onPin(13, (high) => led.push(high));
    uno.runFor(20);
    uno.reset();
    expect(led).toEqual([true, false]);
    uno.runFor(20);
    expect(received).toEqual([0x01, 42, 0, 0x02, 43, 1]);
    expect(led).toEqual([true, false, true]);
    expect(uno.ms).toBeCloseTo(40, 2);
  });

  test('may be pressed from within a listener', async () => {
    const { uno, received } = await bench(BOOTS, { fillSram });
    let left = 2;
    uno.onPin(13, (high) => {
      if (high && left-- > 0) uno.reset();
    });
    uno.runFor(20);
    expect(received).toEqual([0x02, 42, 0]);
    expect(uno.ms).toBeCloseTo(20, 2);
  });

  test('the watchdog resets the chip', async () => {
    const { uno, received } = await bench(BOOTS, { fillSram });
    uno.runFor(10);
    uno.write(Buffer.from('w'));
    uno.runFor(10);
    expect(received).toHaveLength(3);
    uno.runFor(20);
    expect(received.slice(3)).toEqual([0x08, 43, 1]);
  });

  test('what the host has still to send waits for the sketch that starts after a reset', async () => {
    const { uno, text } = await bench(ECHO);
    uno.runFor(5);
    uno.reset();
    uno.runFor(0.05);
    uno.write(Buffer.from('after'));
    uno.runFor(5);
    expect(text()).toBe('readyreadyafter');
  });

  test('start() is a power-on: SRAM is arbitrary, the EEPROM stays', async () => {
    const clock = new VirtualClock();
    const { uno, received } = await bench(BOOTS, { fillSram, clock });
    uno.runFor(20);
    uno.reset();
    uno.runFor(20);
    uno.start();
    clock.advance(20);
    uno.stop();
    expect(received).toEqual([0x01, 42, 0, 0x02, 43, 1, 0x01, 42, 1]);
  });
});

describeWithTools(AVR_TOOLS, 'the pace of a VirtualUno', () => {
  test('keeps up with the clock, in small pieces, and stops at stop()', async () => {
    const clock = new VirtualClock();
    const { uno, text } = await bench(ECHO, { clock });
    uno.start();
    expect(() => uno.runFor(1)).toThrow(/running by the clock/);
    clock.advance(300);
    expect(uno.ms).toBeGreaterThan(295);
    expect(uno.ms).toBeLessThanOrEqual(300.01);
    expect(uno.lostMs).toBe(0);
    expect(text()).toBe('ready');
    uno.stop();
    const { ms } = uno;
    clock.advance(1000);
    expect(uno.ms).toBe(ms);
  });

  test('does not replay the time that the machine slept', async () => {
    const clock = new SleepyClock();
    const { uno } = await bench(ECHO, { clock });
    uno.start();
    clock.advance(100);
    clock.sleep(3_600_000);
    clock.advance(100);
    uno.stop();
    expect(uno.ms).toBeLessThan(300);
    expect(uno.lostMs).toBeGreaterThan(3_599_000);
    expect(uno.ms + uno.lostMs).toBeGreaterThan(3_600_190);
  });
});
