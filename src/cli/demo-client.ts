import type { Client } from '../client/client.js';
import type { ReceivedMessage } from '../client/subscription.js';
import { reasonOf } from '../errors.js';
import { print } from './process.js';

const SWITCH_MS = 3000;

/** Switches the LED of a demonstration on and off, until the interval is cleared. */
export function startLedSwitch(client: Client, channel: string): NodeJS.Timeout {
  let on = false;
  return setInterval(() => {
    on = !on;
    client
      .emit(channel, on ? 'on' : 'off', { qos: 1 })
      .catch((error) => print(`the LED could not be switched: ${reasonOf(error)}`));
  }, SWITCH_MS);
}

/** Prints what arrives, and resolves after `limit` messages. */
export function printMessages(
  client: Client,
  patterns: readonly string[],
  limit: number,
  asText: (message: ReceivedMessage) => string,
): Promise<void> {
  let left = limit;
  return new Promise((resolve, reject) => {
    const take = (message: ReceivedMessage): void => {
      if (left === 0) return;
      print(asText(message));
      if (--left === 0) resolve();
    };
    Promise.all(patterns.map((pattern) => client.subscribe(pattern, take))).catch(reject);
  });
}
