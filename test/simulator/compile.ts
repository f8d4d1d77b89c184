import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The programs that `compile` runs. */
export const AVR_TOOLS = ['avr-gcc', 'avr-objcopy'];

/** Compiles a C program for an Uno and returns its Intel HEX. */
export async function compile(source: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-avr-'));
  try {
    const [c, elf, hex] = ['main.c', 'main.elf', 'main.hex'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(c, PREAMBLE + source);
    await run('avr-gcc', [
      '-mmcu=atmega328p',
      '-DF_CPU=16000000UL',
      '-Os',
      '-Wall',
      '-Werror',
      '-std=gnu11',
      '-o',
      elf,
      c,
    ]);
    await run('avr-objcopy', ['-O', 'ihex', '-R', '.eeprom', elf, hex]);
    return await readFile(hex, 'latin1');
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** 115 200 baud at double speed, as the Arduino core sets it: 17 × 8 cycles a bit, 1360 a byte. */
export const CYCLES_PER_BYTE = 1360;

const PREAMBLE = `
#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/wdt.h>
#include <stdint.h>
#include <util/delay.h>

static inline void uart(void) {
  UCSR0A = 1 << U2X0;
  UBRR0 = 16;
  UCSR0B = 1 << RXEN0 | 1 << TXEN0;
}
static inline void put(uint8_t byte) {
  while (!(UCSR0A & 1 << UDRE0)) {}
  UDR0 = byte;
}
static inline uint8_t get(void) {
  while (!(UCSR0A & 1 << RXC0)) {}
  return UDR0;
}
`;

/** Sends "ready", then sends back what it receives; 'L' and 'l' turn the LED on and off as well. */
export const ECHO = `
int main(void) {
  uart();
  DDRB = 1 << PB5;
  for (const char *c = "ready"; *c; c++) put(*c);
  for (;;) {
    uint8_t byte = get();
    if (byte == 'L') PORTB |= 1 << PB5;
    if (byte == 'l') PORTB &= ~(1 << PB5);
    put(byte);
  }
}
`;
