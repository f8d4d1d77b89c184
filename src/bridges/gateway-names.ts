/** What a gateway may be called. The names go into channels, subjects and headers as they are, and lists of them have commas or spaces between. */
export const GATEWAY_NAME = /^[A-Za-z0-9_-]{1,63}$/;

/** Whether a gateway may be called so. */
export function isGatewayName(text: string): boolean {
  return GATEWAY_NAME.test(text);
}
