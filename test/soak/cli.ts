import { drawScenario, LONG, SHORT } from './draw.js';
import { runScenario } from './run.js';

const from = Number(process.argv[2] ?? 1),
  count = Number(process.argv[3] ?? 100);
const shape = process.argv[4] === 'long' ? LONG : SHORT;
const t0 = Date.now();
let minutes = 0,
  packets = 0,
  faults = 0,
  messages = 0,
  deliveries = 0,
  collisions = 0,
  bad = 0;
for (let seed = from; seed < from + count; seed++) {
  const r = runScenario(drawScenario(seed, shape), process.argv[5] === 'trace');
  minutes += r.sessionMinutes;
  packets += r.packets;
  faults += r.faults;
  messages += r.messages;
  deliveries += r.deliveries;
  collisions += r.collisions;
  if (r.violations.length) {
    bad++;
    console.log(
      seed,
      r.violations
        .slice(0, 3)
        .map((v) => `${v.at.toFixed(0)}: ${v.what}`)
        .join('\n   '),
    );
    if (process.argv[5] === 'trace') for (const l of r.trace) console.log(l.at.toFixed(1), l.text);
  }
}
console.log({ ms: Date.now() - t0, minutes, packets, faults, messages, deliveries, collisions, bad });
