import { describe, expect, test } from 'vitest';
import { Pacer } from '../../src/session/pacer.js';

describe('pace (PROTOCOL.md §5.6)', () => {
  test('keeps what is not known to be read within the buffer', () => {
    const pacer = new Pacer(64);
    expect(pacer.allows(64)).toBe(true);
    const first = pacer.sent(40, 0, true);
    expect(pacer.allows(24)).toBe(true);
    expect(pacer.allows(25)).toBe(false);
    pacer.sent(24, 0, true);
    pacer.confirm(first);
    expect(pacer.outstanding).toBe(24);
    expect(pacer.allows(40)).toBe(true);
    expect(pacer.allows(41)).toBe(false);
  });

  test('lets a packet larger than the buffer go when nothing else is outstanding', () => {
    const pacer = new Pacer(64);
    expect(pacer.allows(500)).toBe(true);
    pacer.sent(1, 0, true);
    expect(pacer.allows(500)).toBe(false);
  });

  test('takes the bytes as gone when nothing confirms them within the resend timer', () => {
    const pacer = new Pacer(64);
    pacer.sent(64, 10, true);
    expect(pacer.deadline(250)).toBe(260);
    pacer.expire();
    expect(pacer.outstanding).toBe(0);
    expect(pacer.deadline(250)).toBeUndefined();
  });

  test('is not misled by a confirmation that comes late, or of what was never sent', () => {
    const pacer = new Pacer(64);
    const first = pacer.sent(30, 0, true);
    const second = pacer.sent(30, 0, true);
    pacer.confirm(second);
    pacer.confirm(first);
    expect(pacer.outstanding).toBe(0);
    pacer.confirm(5000);
    pacer.sent(64, 0, true);
    expect(pacer.outstanding).toBe(64);
    expect(pacer.allows(1)).toBe(false);
  });

  test('knows whether anything under way will confirm what was sent last', () => {
    const pacer = new Pacer(64);
    expect(pacer.unasked).toBe(false);
    pacer.sent(10, 0, true);
    expect(pacer.unasked).toBe(false);
    pacer.sent(10, 0, false);
    expect(pacer.unasked).toBe(true);
    pacer.expire();
    expect(pacer.unasked).toBe(false);
  });

  test('knows no limit without a buffer', () => {
    const pacer = new Pacer(0);
    pacer.sent(1_000_000, 0, true);
    expect(pacer.allows(1_000_000)).toBe(true);
    expect(pacer.deadline(250)).toBeUndefined();
  });
});
