import { hasUnfitCharacter } from '../../mqtt/wire/text.js';
import type { MessageProperties } from '../../router/message.js';

/** For a name or pattern with more levels mosquitto closes the connection. */
const MAX_LEVELS = 200;

/**
 * Why brokers close the connection for that name or pattern, as a short clause, or undefined when they do not: it would be sent again, and the
 * connection be closed again, for ever.
 */
export function unfitName(name: string): string | undefined {
  // MQTT 5, 1.5.4.
  if (hasUnfitCharacter(name)) return 'control characters';
  if (name.length > MAX_LEVELS && name.split('/', MAX_LEVELS + 1).length > MAX_LEVELS)
    return `more than ${MAX_LEVELS} levels`;
  return undefined;
}

/** Whether brokers close the connection for what a message says besides: it may have come from where that is allowed, as NATS. */
export function areUnfit({ contentType, responseTopic, userProperties = [] }: MessageProperties): boolean {
  return [contentType, responseTopic, ...userProperties.flat()].some(
    (text) => text !== undefined && hasUnfitCharacter(text),
  );
}
