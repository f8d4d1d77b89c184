import { beforeEach, describe, expect, test } from 'vitest';
import { IdTable } from '../../src/session/id-table.js';
import { BROADCAST_CHANNEL } from '../../src/wire/channels.js';

interface Named {
  readonly name: string;
}

/** Counts who holds what, and knows at most `room` names. */
class Source {
  readonly holders = new Map<string, number>();
  readonly channels = new Map<string, Named>();
  room = 100;

  hold(name: string): Named | 'bad_channel' | 'limit_reached' {
    if (name === 'bad') return 'bad_channel';
    if (!this.channels.has(name) && this.channels.size >= this.room) return 'limit_reached';
    const channel = this.channels.get(name) ?? { name };
    this.channels.set(name, channel);
    this.holders.set(name, (this.holders.get(name) ?? 0) + 1);
    return channel;
  }

  release({ name }: Named): void {
    this.holders.set(name, (this.holders.get(name) ?? 0) - 1);
  }

  /** A channel that no one holds. */
  channel(name: string): Named {
    const channel = this.channels.get(name) ?? { name };
    this.channels.set(name, channel);
    return channel;
  }
}

describe('channel ids (PROTOCOL.md §6.3)', () => {
  let source: Source;
  let ids: IdTable<Named>;

  beforeEach(() => {
    source = new Source();
    ids = new IdTable<Named>(source);
  });

  test('one that the other side declared works in both directions', () => {
    expect(ids.declare(5, 'a')).toBeUndefined();
    expect(ids.lookup(5, false)).toBe(source.channel('a'));
    expect(ids.lookup(5, true)).toBeUndefined();
    expect(ids.address(source.channel('a'))).toEqual({ id: 5, own: false });
  });

  test('declared again, it means the new name only', () => {
    ids.declare(5, 'a');
    ids.declare(5, 'b');
    expect(ids.lookup(5, false)).toBe(source.channel('b'));
    expect(ids.address(source.channel('a'))).toBeUndefined();
    expect(source.holders.get('a')).toBe(0);
    expect(source.holders.get('b')).toBe(1);
  });

  test('two may have one name, and each goes its own way later', () => {
    ids.declare(1, 'a');
    ids.declare(2, 'a');
    ids.declare(1, 'b');
    expect(ids.lookup(2, false)).toBe(source.channel('a'));
    expect(ids.address(source.channel('a'))).toEqual({ id: 2, own: false });
    expect(source.holders.get('a')).toBe(1);
  });

  test('what cannot be declared changes nothing', () => {
    ids.declare(5, 'a');
    expect(ids.declare(5, 'bad')).toBe('bad_channel');
    source.room = 1;
    expect(ids.declare(6, 'c')).toBe('limit_reached');
    expect(ids.lookup(5, false)).toBe(source.channel('a'));
    expect(ids.lookup(6, false)).toBeUndefined();
  });

  test('an own one is used only once the declaration was acknowledged', () => {
    ids.ownLimit = 2;
    const a = source.channel('a');
    expect(ids.assign(a)).toBe(1);
    expect(ids.address(a)).toBeUndefined();
    expect(ids.lookup(1, true)).toBe(a);
    ids.usable(1, a);
    expect(ids.address(a)).toEqual({ id: 1, own: true });
    expect(ids.assign(a)).toBeUndefined();
  });

  test('own ones go up to what the other side allows', () => {
    const names = ['a', 'b', 'c'].map((name) => source.channel(name));
    expect(names.map((channel) => ids.assign(channel))).toEqual([undefined, undefined, undefined]);
    ids.ownLimit = 2;
    expect(names.map((channel) => ids.assign(channel))).toEqual([1, 2, undefined]);
  });

  test("a channel with an id of the other side's needs none of this side's", () => {
    ids.ownLimit = 10;
    ids.declare(7, 'a');
    expect(ids.assign(source.channel('a'))).toBeUndefined();
  });

  test('id 0 is the broadcast channel in either space, always', () => {
    ids.ownLimit = 10;
    expect(ids.lookup(0, false)).toBe(BROADCAST_CHANNEL);
    expect(ids.lookup(0, true)).toBe(BROADCAST_CHANNEL);
    expect(ids.address({ name: BROADCAST_CHANNEL })).toEqual({ id: 0, own: false });
    expect(ids.assign({ name: BROADCAST_CHANNEL })).toBeUndefined();
  });

  test('a new epoch begins without any, and lets go of every channel', () => {
    ids.ownLimit = 10;
    ids.declare(1, 'a');
    ids.declare(2, 'a');
    ids.assign(source.channel('b'));
    ids.clear();
    expect([...source.holders.values()].every((count) => count === 0)).toBe(true);
    expect(ids.lookup(1, false)).toBeUndefined();
    expect(ids.lookup(1, true)).toBeUndefined();
    expect(ids.address(source.channel('a'))).toBeUndefined();
  });
});
