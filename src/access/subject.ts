/** Whom a rule is for. */
export type Subject =
  | { readonly kind: 'anyone' | 'authenticated' | 'serial' | 'loopback' }
  /** `name`: matches the whole of it. */
  | { readonly kind: 'user' | 'device'; readonly name: RegExp };

/** Words that stand alone. */
export const SUBJECT_WORDS = ['anyone', 'authenticated', 'serial', 'loopback'] as const;

/** How subjects are written, for messages. */
export const SUBJECT_FORMS = [...SUBJECT_WORDS, 'user:NAME', 'device:NAME'];

/**
 * Reads a subject: a word, or `user:NAME` or `device:NAME`, in which `*` stands for any characters. Undefined if it is
 * none.
 */
export function parseSubject(text: string): Subject | undefined {
  const word = SUBJECT_WORDS.find((known) => known === text);
  if (word !== undefined) return { kind: word };
  const [, kind, name] = /^(user|device):(.+)$/s.exec(text) ?? [];
  if (name === undefined) return undefined;
  return { kind: kind as 'user' | 'device', name: globOf(name) };
}

function globOf(name: string): RegExp {
  const parts = name.split(/\*+/).map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'su');
}
