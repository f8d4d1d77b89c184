const known = new Map<string, Map<string, boolean>>();

/** Whether a pattern stands for a channel (PROTOCOL.md §6.2). The router is not asked: it is what is being checked. */
export function matches(pattern: string, channel: string): boolean {
  let channels = known.get(pattern);
  if (!channels) {
    channels = new Map();
    known.set(pattern, channels);
  }
  let answer = channels.get(channel);
  if (answer === undefined) {
    answer = expressionOf(pattern).test(channel);
    channels.set(channel, answer);
  }
  return answer;
}

function expressionOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[$.*?()[\]{}|\\^]/g, '\\$&')
    .replace(/\/#$/, '(/.*)?')
    .replace(/^#$/, '.*')
    .replaceAll('+', '[^/]*');
  return new RegExp(`^${/^[+#]/.test(pattern) ? '(?!\\$)' : ''}${source}$`, 's');
}
