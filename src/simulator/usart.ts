import type { CPU } from 'avr8js';

type Interrupt = Parameters<CPU['setInterruptFlag']>[0];

/**
 * USART0 of an ATmega328P (datasheet §19), with what matters to a protocol and `avr8js`'s own model leaves out: a byte
 * sent appears when its stop bit has left, the transmitter is double-buffered so that bytes follow each other without a gap,
 * and the receiver holds two bytes and a third in its shift register before it overruns.
 */

const UCSRA = 0xc0;
const UCSRB = 0xc1;
const UCSRC = 0xc2;
const UBRRL = 0xc4;
const UBRRH = 0xc5;
const UDR = 0xc6;

const RXC = 0x80;
const TXC = 0x40;
const UDRE = 0x20;
const DOR = 0x08;
const U2X = 0x02;
const MPCM = 0x01;

const RXCIE = 0x80;
const TXCIE = 0x40;
const UDRIE = 0x20;
const RXEN = 0x10;
const TXEN = 0x08;
const UCSZ2 = 0x04;

const PARITY = 0x20;
const TWO_STOP_BITS = 0x08;
const EIGHT_BITS = 0x06;

/** Two bytes in the buffer and one in the shift register. */
const RECEIVER_BYTES = 3;

/** While the sketch has not set up the UART, the line runs at 115 200 baud: 10 bits of 138.9 cycles. */
const DEAF_CYCLES_PER_BYTE = 1389;

const rxComplete: Interrupt = {
  address: 0x24,
  flagRegister: UCSRA,
  flagMask: RXC,
  enableRegister: UCSRB,
  enableMask: RXCIE,
  constant: true, // It stands until UDR has been read, not until the interrupt was served.
};
const registerEmpty: Interrupt = {
  address: 0x26,
  flagRegister: UCSRA,
  flagMask: UDRE,
  enableRegister: UCSRB,
  enableMask: UDRIE,
  constant: true,
};
const txComplete: Interrupt = {
  address: 0x28,
  flagRegister: UCSRA,
  flagMask: TXC,
  enableRegister: UCSRB,
  enableMask: TXCIE,
};

/** The two wires, as the world outside the chip sees them. */
export interface UsartWires {
  /** A byte has left the chip, its last stop bit included. */
  sent(byte: number): void;
  /** The next byte that the host has to send, taken when the line is free. `undefined`: nothing to send. */
  next(): number | undefined;
  /** A byte reached the chip and was lost: the receiver was off, or nobody read it in time. */
  lost(reason: 'receiver_off' | 'overrun'): void;
}

export class Usart {
  readonly #cpu: CPU;
  readonly #wires: UsartWires;
  readonly #received: number[] = [];
  #arriving: number | undefined;
  #arrives = 0;
  #shifting: number | undefined;
  #leaves = 0;
  #waiting: number | undefined;

  constructor(cpu: CPU, wires: UsartWires) {
    this.#cpu = cpu;
    this.#wires = wires;
    cpu.data[UCSRA] = UDRE;
    cpu.data[UCSRC] = EIGHT_BITS;
    cpu.readHooks[UDR] = () => this.#read();
    cpu.writeHooks[UDR] = (value) => this.#transmit(value);
    cpu.writeHooks[UCSRA] = (value) => this.#writeStatus(value);
    cpu.writeHooks[UCSRB] = (value) => this.#writeControl(value);
  }

  /** Clock cycles that one byte takes on the line as the sketch has set it up. */
  get cyclesPerByte(): number {
    if (!(this.#register(UCSRB) & (RXEN | TXEN))) return DEAF_CYCLES_PER_BYTE;
    const divisor = ((this.#register(UBRRH) & 0x0f) << 8) + this.#register(UBRRL) + 1;
    const mode = this.#register(UCSRC);
    const size = ((mode & EIGHT_BITS) >> 1) | (this.#register(UCSRB) & UCSZ2);
    const dataBits = size === 7 ? 9 : 5 + (size & 3);
    const bits = 1 + dataBits + (mode & PARITY ? 1 : 0) + (mode & TWO_STOP_BITS ? 2 : 1);
    return divisor * (this.#register(UCSRA) & U2X ? 8 : 16) * bits;
  }

  /** The host has bytes: begins to receive unless a byte is already on its way. */
  wake(): void {
    if (this.#arriving === undefined) this.#receive(this.#cpu.cycles);
  }

  /** @param start when the start bit begins, in cycles; events come an instruction late, bytes on the line do not */
  #receive(start: number): void {
    const byte = this.#wires.next();
    if (byte === undefined) return;
    if (this.#received.length === RECEIVER_BYTES) {
      // The start bit of a fourth byte overwrites the one in the shift register (datasheet §19.7.3).
      this.#received.pop();
      this.#set(DOR);
      this.#wires.lost('overrun');
    }
    this.#arriving = byte;
    this.#arrives = start + this.cyclesPerByte;
    this.#cpu.addClockEvent(this.#arrived, this.#arrives - this.#cpu.cycles);
  }

  readonly #arrived = (): void => {
    const byte = this.#arriving ?? 0;
    this.#arriving = undefined;
    if (this.#register(UCSRB) & RXEN) {
      this.#received.push(byte);
      this.#cpu.setInterruptFlag(rxComplete);
    } else {
      this.#wires.lost('receiver_off');
    }
    this.#receive(this.#arrives);
  };

  #read(): number {
    const byte = this.#received.shift() ?? 0;
    this.#clear(DOR);
    if (this.#received.length === 0) this.#cpu.clearInterrupt(rxComplete);
    return byte;
  }

  #transmit(byte: number): boolean {
    if (!(this.#register(UCSRB) & TXEN)) return true;
    if (this.#shifting === undefined) {
      this.#shift(byte, this.#cpu.cycles);
    } else if (this.#waiting === undefined) {
      this.#waiting = byte;
      this.#cpu.clearInterrupt(registerEmpty);
    }
    // Else the chip ignores it: the sketch did not wait for UDRE.
    return true;
  }

  #shift(byte: number, start: number): void {
    this.#shifting = byte;
    this.#leaves = start + this.cyclesPerByte;
    this.#cpu.addClockEvent(this.#shifted, this.#leaves - this.#cpu.cycles);
  }

  readonly #shifted = (): void => {
    this.#wires.sent(this.#shifting ?? 0);
    this.#shifting = undefined;
    if (this.#waiting === undefined) {
      this.#cpu.setInterruptFlag(txComplete);
      return;
    }
    this.#shift(this.#waiting, this.#leaves);
    this.#waiting = undefined;
    this.#cpu.setInterruptFlag(registerEmpty);
  };

  #writeStatus(value: number): boolean {
    const settings = U2X | MPCM;
    this.#cpu.data[UCSRA] = (this.#register(UCSRA) & ~settings) | (value & settings);
    this.#cpu.clearInterruptByFlag(txComplete, value);
    return true;
  }

  #writeControl(value: number): boolean {
    this.#cpu.data[UCSRB] = value;
    if (!(value & RXEN)) {
      this.#received.length = 0;
      this.#cpu.clearInterrupt(rxComplete);
    }
    for (const interrupt of [rxComplete, registerEmpty, txComplete]) {
      this.#cpu.updateInterruptEnable(interrupt, value);
    }
    return true;
  }

  #register(address: number): number {
    return this.#cpu.data[address] ?? 0;
  }

  #set(flag: number): void {
    this.#cpu.data[UCSRA] = this.#register(UCSRA) | flag;
  }

  #clear(flag: number): void {
    this.#cpu.data[UCSRA] = this.#register(UCSRA) & ~flag;
  }
}
