import { describe, expect, it } from 'vitest';
import { Ledger } from './ledger.js';

/** A ledger with one sender of ten messages, all acknowledged, and what of them arrived in which order. */
function afterwards(qos: 1 | 2, arrived: readonly number[]): Ledger {
  const ledger = new Ledger();
  const sender = ledger.sender('a', qos);
  for (let n = 0; n < 10; n++) sender.acknowledged.add(sender.next().number);
  for (const number of arrived) ledger.arrived(`a ${number}`);
  return ledger;
}

const ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

describe('the checker', () => {
  it.each([1, 2] as const)('has nothing to say when all of QoS %i arrived, once and in order', (qos) => {
    const ledger = afterwards(qos, ALL);
    expect(ledger.missing).toBe(0);
    const { accounts, faults } = ledger.verdict({ once: true });
    expect(faults).toEqual([]);
    expect(accounts.get('a')).toEqual({
      emitted: 10,
      acknowledged: 10,
      arrived: 10,
      repeated: 0,
      refused: 0,
    });
  });

  it('sees a loss, at the end too', () => {
    expect(afterwards(1, [0, 1, 2, 4, 5, 6, 7, 8, 9]).verdict().faults).toEqual([
      'a, QoS 1: acknowledged, and did not arrive: 3',
    ]);
    const cut = afterwards(2, [0, 1, 2]);
    expect(cut.missing).toBe(7);
    expect(cut.verdict().faults).toEqual([
      'a, QoS 2: acknowledged, and did not arrive: 3, 4, 5, 6, 7 and 2 more',
    ]);
  });

  it('sees what comes twice: at QoS 2, at QoS 1 only where that was promised', () => {
    const twice = [...ALL.slice(0, 6), 4, 5, ...ALL.slice(6)];
    const fault = 'arrived more than once: 4, 5';
    expect(afterwards(2, twice).verdict().faults).toEqual([`a, QoS 2: ${fault}`]);
    expect(afterwards(2, twice).verdict({ repeats: true }).faults).toEqual([]);
    expect(afterwards(1, twice).verdict().faults).toEqual([]);
    expect(afterwards(1, twice).verdict().accounts.get('a')).toMatchObject({ arrived: 10, repeated: 2 });
    expect(afterwards(1, twice).verdict({ once: true }).faults).toEqual([`a, QoS 1: ${fault}`]);
  });

  it('sees what was overtaken', () => {
    expect(afterwards(1, [0, 1, 3, 2, 4, 5, 6, 7, 8, 9]).verdict().faults).toEqual([
      'a, QoS 1: arrived late: 2 after 3',
    ]);
  });

  it('sees what nobody sent', () => {
    const ledger = afterwards(1, [...ALL, 10]);
    ledger.arrived('b 0');
    ledger.arrived('a few words');
    expect(ledger.verdict().faults).toEqual([
      'nobody sent b 0, a few words',
      'a, QoS 1: arrived, and was never sent: 10',
    ]);
  });

  it('wants nothing of what was not acknowledged, and nothing to come of what was refused', () => {
    const ledger = new Ledger();
    const sender = ledger.sender('a', 1);
    for (let n = 0; n < 3; n++) sender.next();
    sender.acknowledged.add(0);
    sender.refused.add(1);
    ledger.arrived('a 0');
    expect(ledger.verdict().faults).toEqual([]);
    ledger.arrived('a 1');
    ledger.arrived('a 2');
    expect(ledger.verdict().faults).toEqual(['a, QoS 1: refused, and arrived all the same: 1']);
  });
});
