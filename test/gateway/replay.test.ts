import { describe, expect, it } from 'vitest';
import { type Faults, NO_FAULTS } from '../support/faulty-wire.js';
import { EngineDevice, Simulation } from '../support/simulation.js';

/** A device that subscribed to v/#, another that emits there, and a way to cut and mend the first one's link. */
function start() {
  const simulation = new Simulation(1);
  const { clock } = simulation;
  const [sleeper, sender] = [
    new EngineDevice(simulation, 'sleeper'),
    new EngineDevice(simulation, 'sender'),
  ] as const;
  sleeper.subscribe('v/#', 1);
  const faults: Faults = { ...NO_FAULTS };
  let link = simulation.connect('udp', sleeper, faults);
  simulation.connect('udp', sender, NO_FAULTS);
  const quiet = () => clock.advance(2000);
  quiet();
  return {
    sender,
    faults,
    quiet,
    cut: () => link.cut(),
    mend: () => {
      link = simulation.connect('udp', sleeper, NO_FAULTS);
      quiet();
    },
    heard: () =>
      sleeper.received.map(({ channel, text, retained }) => `${channel} ${text}${retained ? ' kept' : ''}`),
  };
}

describe('after a resume (PROTOCOL.md §4.3) a peer gets', () => {
  it('the last values that changed while it was gone', () => {
    const { sender, quiet, cut, mend, heard } = start();
    sender.emit('v/before', '0', 0, true);
    quiet();
    cut();
    sender.emit('v/a', '1', 0, true);
    sender.emit('v/a', '2', 0, true);
    quiet();
    mend();
    expect(heard()).toEqual(['v/before 0', 'v/a 2 kept']);
  });

  it('a message that was held for it once, though it is a last value too', () => {
    const { sender, quiet, cut, mend, heard } = start();
    cut();
    sender.emit('v/a', '1', 1, true);
    quiet();
    mend();
    expect(heard()).toEqual(['v/a 1']);
  });

  it('what was held, and then the last value that came after it', () => {
    const { sender, quiet, cut, mend, heard } = start();
    cut();
    sender.emit('v/a', '1', 1, true);
    quiet();
    sender.emit('v/a', '2', 0, true);
    quiet();
    mend();
    expect(heard()).toEqual(['v/a 1', 'v/a 2 kept']);
  });

  it('what was lost on a link that was dead before anyone noticed', () => {
    const { sender, faults, quiet, cut, mend, heard } = start();
    faults.loss = 1;
    sender.emit('v/a', '1', 0, true);
    quiet();
    cut();
    mend();
    expect(heard()).toEqual(['v/a 1 kept']);
  });
});
