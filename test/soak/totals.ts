import type { RunResult } from './run.js';

/** What many runs came to. Times in ms. */
export interface Totals {
  seeds: number;
  sessionMinutes: number;
  messages: number;
  deliveries: number;
  packets: number;
  faults: number;
  collisions: number;
  wills: number;
  heldInSleep: number;
  endings: number;
  /** The worst of all runs. */
  restMs: number;
  mostPackets: number;
  mostHeld: number;
}

const SUMS = [
  'sessionMinutes',
  'messages',
  'deliveries',
  'packets',
  'faults',
  'collisions',
  'wills',
  'heldInSleep',
  'endings',
] as const;

export function noTotals(): Totals {
  return {
    seeds: 0,
    sessionMinutes: 0,
    messages: 0,
    deliveries: 0,
    packets: 0,
    faults: 0,
    collisions: 0,
    wills: 0,
    heldInSleep: 0,
    endings: 0,
    restMs: 0,
    mostPackets: 0,
    mostHeld: 0,
  };
}

export function addRun(totals: Totals, run: RunResult): void {
  totals.seeds++;
  for (const key of SUMS) totals[key] += run[key];
  for (const key of ['restMs', 'mostPackets', 'mostHeld'] as const)
    totals[key] = Math.max(totals[key], run[key]);
}

export function addTotals(totals: Totals, more: Totals): void {
  totals.seeds += more.seeds;
  for (const key of SUMS) totals[key] += more[key];
  for (const key of ['restMs', 'mostPackets', 'mostHeld'] as const)
    totals[key] = Math.max(totals[key], more[key]);
}

/** One line; `seconds` is how long it took. */
export function describeTotals(totals: Totals, seconds: number): string {
  const number = (value: number) => Math.round(value).toLocaleString('en');
  const rate = (totals.seeds / Math.max(seconds, 0.001)).toFixed(1);
  return [
    `${number(totals.seeds)} seeds (${rate}/s)`,
    `${number(totals.sessionMinutes)} session-minutes`,
    `${number(totals.faults)} faults`,
    `${number(totals.messages)} messages, ${number(totals.deliveries)} deliveries`,
    `${number(totals.packets)} packets`,
    `at rest within ${(totals.restMs / 1000).toFixed(1)} s`,
  ].join(', ');
}
