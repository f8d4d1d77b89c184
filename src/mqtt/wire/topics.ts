/** Where a shared subscription begins: `$share/<group>/<filter>` (MQTT 5, 4.8.2). */
const SHARE = '$share/';

const WILDCARD = /[+#]/;

/** At least one character [MQTT-4.7.3-1], none of them a wildcard [MQTT-3.3.2-2]. */
export function isTopicName(text: string): boolean {
  return text.length > 0 && !WILDCARD.test(text);
}

/**
 * At least one character [MQTT-4.7.3-1]; `#` alone in the last level [MQTT-4.7.1-1], `+` alone in its level [MQTT-4.7.1-2]. That of
 * a shared subscription has both parts [MQTT-4.8.2-1], and no wildcard in its group's name [MQTT-4.8.2-2].
 */
export function isTopicFilter(text: string): boolean {
  if (text.length === 0) return false;
  if (!text.startsWith(SHARE)) return isPlainFilter(text);
  const share = shareOf(text);
  return share !== undefined && share.filter.length > 0 && isPlainFilter(share.filter);
}

/** The parts of a shared subscription's filter; undefined of any other, and if there is no group. */
export function shareOf(text: string): { readonly group: string; readonly filter: string } | undefined {
  if (!text.startsWith(SHARE)) return undefined;
  const slash = text.indexOf('/', SHARE.length);
  if (slash <= SHARE.length) return undefined;
  const group = text.slice(SHARE.length, slash);
  return WILDCARD.test(group) ? undefined : { group, filter: text.slice(slash + 1) };
}

function isPlainFilter(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character !== '+' && character !== '#') continue;
    const alone = (at === 0 || text[at - 1] === '/') && (at + 1 === text.length || text[at + 1] === '/');
    if (!alone || (character === '#' && at + 1 < text.length)) return false;
  }
  return true;
}
