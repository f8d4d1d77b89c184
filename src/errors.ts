/**
 * The base of every error that Slipway throws on purpose. `code` is stable and meant for programs; `message` is meant
 * for people: it names what went wrong, where, and what to do about it.
 */
export class SlipwayError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SlipwayError';
    this.code = code;
  }
}

/** The text of anything thrown, for a log line or a `cause`. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of an error of the system, or of anything else thrown that has one; empty if it has none. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
