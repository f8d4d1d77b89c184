import { vi } from 'vitest';
import type { ByteLinkEvents } from '../../src/links/byte-link.js';
import type { LinkEvents } from '../../src/links/link.js';

/** Notes what a link tells. */
export class Recorder implements LinkEvents {
  readonly packets: Buffer[] = [];
  readonly reasons: string[] = [];
  drains = 0;
  onPacket: (packet: Uint8Array) => void = () => {};

  packet(packet: Uint8Array): void {
    this.packets.push(Buffer.from(packet));
    this.onPacket(packet);
  }

  closed(reason: string): void {
    this.reasons.push(reason);
  }

  drained(): void {
    this.drains++;
  }
}

/** Notes what a byte link tells; takes all unless told otherwise. */
export class ByteRecorder implements ByteLinkEvents {
  text = '';
  unfinished = false;
  readonly reasons: string[] = [];
  readonly stalls: string[] = [];
  drains = 0;
  take: (chunk: Buffer) => number = (chunk) => chunk.length;

  bytes(chunk: Buffer): number {
    const taken = this.take(chunk);
    this.text += chunk.toString('latin1', 0, taken);
    return taken;
  }

  closed(reason: string): void {
    this.reasons.push(reason);
  }

  stalled(reason: string): void {
    this.stalls.push(reason);
  }

  drained(): void {
    this.drains++;
  }
}

/** Waits until the check stops throwing, or fails with what it threw last. */
export async function until(check: () => void): Promise<void> {
  await vi.waitFor(check, { timeout: 30_000, interval: 2 });
}
