import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Counters } from '../../../src/counters.js';
import { PeerTable } from '../../../src/links/udp/peer-table.js';
import { type UdpCarrier, UdpLink } from '../../../src/links/udp/udp-link.js';

const CARRIER: UdpCarrier = {
  maxPacket: 1472,
  counters: new Counters(),
  transmit: () => {},
  detach: () => {},
};

test('finds the link of an address, whether its host has one peer or several', () => {
  const address = fc.record({
    host: fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', '2001:db8:1::1'),
    port: fc.integer({ min: 1, max: 4 }),
    present: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(address, { maxLength: 50 }), (steps) => {
      const table = new PeerTable();
      const model = new Map<string, UdpLink>();
      for (const { host, port, present } of steps) {
        const key = `${host} ${port}`;
        const known = model.get(key);
        expect(table.get(host, port)).toBe(known);
        if (present && !known) {
          const link = new UdpLink({ host, port }, CARRIER);
          table.add(link);
          model.set(key, link);
        } else if (!present) {
          // One that is not the table's own changes nothing.
          table.delete(new UdpLink({ host, port }, CARRIER));
          expect(table.get(host, port)).toBe(known);
          if (known) table.delete(known);
          model.delete(key);
        }
        expect(table.size).toBe(model.size);
        const one = new UdpLink({ host, port }, CARRIER);
        const ofParty = [...model.values()].filter(({ party }) => party === one.party);
        expect(table.ofParty(one)).toBe(ofParty.length);
        expect(new Set(table)).toEqual(new Set(model.values()));
      }
    }),
  );
});
