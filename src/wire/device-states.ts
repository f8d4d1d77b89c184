/** What `$slipway/devices/<id>/state` says (PROTOCOL.md §6.6). */
export type DeviceState = 'online' | 'asleep' | 'offline';

/** Matches the channels of all states. */
export const DEVICE_STATES = '$slipway/devices/+/state';

const CHANNEL = /^\$slipway\/devices\/(.+)\/state$/;

export function stateChannelOf(identity: string): string {
  // In one piece: a name that is kept as it was put together keeps its parts as well.
  return ['$slipway/devices', identity, 'state'].join('/');
}

/** The device whose state that channel has, if it is such a one. */
export function deviceOfState(channel: string): string | undefined {
  return CHANNEL.exec(channel)?.[1];
}
