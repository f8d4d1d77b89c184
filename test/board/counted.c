/* A program whose cycles are known from the datasheet: is CountingChip's count that? */
#include <avr/interrupt.h>
#include <avr/io.h>

#define MARK(call) "ldi r24, " #call "\n out 0x1e, r24\n"
#define TEN_NOPS "nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n"

volatile uint32_t now;

/* 4 to the interrupt, 3 for the vector's jump, 2, 2 and 2, 4 back: 17, and 3 bytes of stack. */
ISR(USART_UDRE_vect, ISR_NAKED) {
  __asm__ volatile("push r24\n sts 0xc1, r1\n pop r24\n reti");
}

__attribute__((naked, noinline, used)) void uart_room(void) {
  __asm__ volatile("push r24\n" TEN_NOPS "pop r24\n ret");
}

__attribute__((naked, noinline, used)) void uart_write(void) {
  __asm__ volatile(TEN_NOPS "rcall uart_room\n ret");
}

int main(void) {
  UCSR0B = _BV(TXEN0);
  sei();
  for (;;) {
    GPIOR1 = 1;
    /* 10 and the mark's ldi. */
    __asm__ volatile(MARK(1) TEN_NOPS MARK(0)::: "r24");
    /* 10, 3 for the call of the driver, which is not counted, and the mark's ldi. */
    __asm__ volatile(MARK(2) TEN_NOPS "rcall uart_write\n" MARK(0)::: "r24", "memory");
    /* 10, 1 and 2 to enable the interrupt, which is not counted, and the mark's ldi. */
    __asm__ volatile(MARK(3) "ldi r25, 0x28\n sts 0xc1, r25\n" TEN_NOPS MARK(0)::: "r24", "r25", "memory");
  }
}
