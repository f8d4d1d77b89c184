import { type Logger, pino } from 'pino';
import type { Config } from '../config/schema.js';

/** The daemon's log, on standard output: lines for people on a terminal, JSON elsewhere, unless the config says otherwise. */
export async function createLogger(
  { level, format }: Config['log'],
  terminal = process.stdout.isTTY,
): Promise<Logger> {
  const forPeople = format === 'pretty' || (format === 'auto' && terminal);
  if (!forPeople) return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  // A daemon that writes JSON need not wait for it to load.
  const { default: pretty } = await import('pino-pretty');
  const stream = pretty({
    colorize: terminal,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    // The message says it all; the fields are for programs.
    hideObject: true,
    sync: true,
  });
  return pino({ level }, stream);
}
