import { describe, expect, test } from 'vitest';
import { forSeeds } from '../../support/seeds.js';
import { type Scenario, simulate } from './interest-traffic.js';
import { assess, type Fleet } from './model.js';

const DEVICES: Omit<Scenario, 'name' | 'devices'> = {
  rule: { pattern: 'commands/#', remote: 'site1/commands/#' },
  pattern: (device) => `commands/device${device}/#`,
  goes: 1,
  away: 30_000,
};

describe('what a gateway asks its upstream for, in an hour', () => {
  test('follows its devices one by one while they are few, and those that are soon back are not noticed', () => {
    forSeeds(3, (seed) => {
      const few = simulate({ ...DEVICES, name: 'few', devices: 100 }, seed);
      expect(few.most).toBe(100);
      // Of those that are away for 30 s on average, an eighth or so is back within 5 s.
      expect(few.upstream).toBeGreaterThan(few.local * 0.7);
      expect(few.upstream).toBeLessThan(few.local);
    });
  });

  test('is one pattern for many, and does not go back and forth about the bound', () => {
    forSeeds(1, (seed) => {
      const many = simulate({ ...DEVICES, name: 'many', devices: 1500 }, seed);
      expect([many.upstream, many.most]).toEqual([0, 1]);
      const about = simulate({ ...DEVICES, name: 'about', devices: 1010 }, seed);
      expect(about.upstream).toBeLessThan(about.local);
    });
  });
});

describe('what a fleet asks for', () => {
  const FLEET: Fleet = {
    gateways: 100,
    devices: 1e6,
    readings: 60,
    commands: 1,
    changes: 4,
    keepAlive: 60,
    duplicateWindow: 600,
    outage: 3600,
  };
  const valuesOf = (fleet: Fleet) => new Map(assess(fleet).map(({ what, value }) => [what, value]));

  test('of a gateway is the same however many there are', () => {
    const gateway = (fleet: Fleet) => [...valuesOf(fleet).values()].slice(0, 5);
    expect(gateway({ ...FLEET, gateways: 10_000, devices: 1e8 })).toEqual(gateway(FLEET));
  });

  test('of what is between them grows with them', () => {
    const bigger = valuesOf({ ...FLEET, gateways: 10_000, devices: 1e8 });
    expect(valuesOf(FLEET).get('messages a second up, of all')).toBe('17,000');
    expect(bigger.get('messages a second up, of all')).toBe('1,700,000');
  });
});
