import type { ProtocolLevel } from '../../../src/mqtt/wire/packets.js';
import { CONNECT_CASES } from './cases-connect.js';
import { PUBLISH_CASES } from './cases-publish.js';
import { SESSION_CASES } from './cases-session.js';
import { SUBSCRIBE_CASES } from './cases-subscribe.js';
import type { Case } from './script.js';

const BOTH: readonly ProtocolLevel[] = [4, 5];

const ALL: readonly Case[] = [...CONNECT_CASES, ...PUBLISH_CASES, ...SUBSCRIBE_CASES, ...SESSION_CASES];

/** The cases of these versions: name, version, script, and a number of its own for each. */
export function casesOf(levels: readonly ProtocolLevel[]) {
  return ALL.flatMap(({ name, levels: own = BOTH, script }, index) =>
    own
      .filter((level) => levels.includes(level))
      .map((level) => ({ name, level, script, number: 10 * index + level })),
  );
}
