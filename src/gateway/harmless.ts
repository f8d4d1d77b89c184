/** Characters that are shown: a client id of MQTT may have 65,535 bytes, and stand in every line about its client. */
const SHOWN = 255;

/**
 * `text`, cut after 255 characters, with every character that is not shown as `\u{…}`: what peers call themselves may hold what a terminal
 * would obey. Different texts may look the same.
 */
export function harmless(text: string): string {
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  return shown.replace(/\p{C}/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
}
