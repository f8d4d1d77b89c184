import { SlipwayError } from '../errors.js';

/** More is no password. */
const MAX_INPUT_BYTES = 64 * 1024;

/**
 * A new password: asked for twice, without echo, at a terminal; otherwise the one line that standard input holds.
 * @throws SlipwayError `no_password` when none was given, or the two differ; `cancelled`
 */
export async function newPassword(user: string): Promise<string> {
  const password = process.stdin.isTTY ? await askTwice(user) : await onlyLine();
  if (password === '')
    throw new SlipwayError('no_password', 'there is no empty password: nothing was changed');
  return password;
}

async function askTwice(user: string): Promise<string> {
  const [first, second] = await ask([`New password for ${user}: `, 'Once more: ']);
  if (first !== second)
    throw new SlipwayError('no_password', 'the two are not the same: nothing was changed');
  return first ?? '';
}

async function onlyLine(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_INPUT_BYTES) break;
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks)
    .toString()
    .replace(/\r?\n$/, '');
  if (length > MAX_INPUT_BYTES || /[\r\n]/.test(text))
    throw new SlipwayError(
      'no_password',
      'standard input has to hold one line, the password: nothing was changed',
    );
  return text;
}

/** Reads one line for each prompt from a terminal that shows nothing of it. */
async function ask(prompts: readonly string[]): Promise<string[]> {
  const { stdin, stderr } = process;
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  const lines = [''];
  stderr.write(prompts[0] ?? '');
  try {
    for await (const typed of stdin as AsyncIterable<string>) {
      for (const key of typed) {
        if (key !== '\r' && key !== '\n') {
          lines.push(edited(lines.pop() ?? '', key));
          continue;
        }
        stderr.write('\n');
        if (lines.length === prompts.length) return lines;
        stderr.write(prompts[lines.length] ?? '');
        lines.push('');
      }
    }
  } finally {
    stdin.setRawMode(false);
  }
  throw cancelled();
}

/** The line after a key was pressed. */
function edited(line: string, key: string): string {
  switch (key) {
    case '\u0003': // Ctrl-C
    case '\u0004': // Ctrl-D
      process.stderr.write('\n');
      throw cancelled();
    case '\u007f':
    case '\b':
      return Array.from(line).slice(0, -1).join('');
    case '\u0015': // Ctrl-U
      return '';
    default:
      return /\p{Cc}/u.test(key) ? line : line + key;
  }
}

function cancelled(): SlipwayError {
  return new SlipwayError('cancelled', 'cancelled: nothing was changed');
}
