import { describe, expect, it } from 'vitest';
import { NO_FAULTS } from '../support/faulty-wire.js';
import { EngineDevice, Simulation } from '../support/simulation.js';

/** The limit of the simulation's hub. */
const SESSIONS = 100;

/** A gateway whose sessions are all taken by absent devices, those in `holding` with something held for them. */
function fill(holding: (n: number) => boolean) {
  const simulation = new Simulation(1);
  const { clock } = simulation;
  for (let n = 0; n < SESSIONS; n++) {
    const device = new EngineDevice(simulation, `absent-${n}`);
    device.subscribe(holding(n) ? 'held' : 'other', 1);
    const link = simulation.connect('udp', device, NO_FAULTS);
    clock.advance(100);
    link.cut();
  }
  simulation.router.emit('held', Buffer.from('x'), { qos: 1, retain: false });
  const newcomer = new EngineDevice(simulation, 'newcomer');
  simulation.connect('udp', newcomer, NO_FAULTS);
  clock.advance(1000);
  return { simulation, newcomer };
}

describe('when every session is taken', () => {
  it('the one that is absent longest makes room, if nothing is held for it', () => {
    const { simulation, newcomer } = fill((n) => n === 0);
    expect(newcomer.session.state).toBe('ready');
    expect(simulation.hub.sessions.has('absent-0')).toBe(true);
    expect(simulation.hub.sessions.has('absent-1')).toBe(false);
    expect(simulation.hub.sessions.size).toBe(SESSIONS);
    expect(simulation.counters.get('session.made_room')).toBe(1);
  });

  it('a newcomer is refused before anything held is forgotten', () => {
    const { simulation, newcomer } = fill(() => true);
    expect(newcomer.session.state).toBe('greeting');
    expect(newcomer.refusals).toMatchObject([{ reason: 'limit_reached' }]);
    expect(simulation.hub.sessions.size).toBe(SESSIONS);
  });

  it('a peer on UDP that promised no keep-alive is held to one all the same', () => {
    const simulation = new Simulation(1);
    const device = new EngineDevice(simulation, 'silent', { keepAlive: 0 });
    const link = simulation.connect('udp', device, NO_FAULTS);
    simulation.clock.advance(1000);
    device.linkDown(); // The gateway does not hear of it.
    simulation.clock.advance(170_000);
    expect(simulation.presence).toEqual(['silent online']);
    simulation.clock.advance(15_000);
    expect(simulation.presence).toEqual(['silent online', 'silent offline']);
    link.cut();
  });
});
