import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config/schema.js';

/** The daemon's log, on standard output: lines for people on a terminal, JSON elsewhere, unless the config says otherwise. */
export function createLogger({ level, format }: Config['log'], terminal = process.stdout.isTTY): Logger {
  const forPeople = format === 'pretty' || (format === 'auto' && terminal);
  if (!forPeople) return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
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
