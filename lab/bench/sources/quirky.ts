// Units with the habits of real ones: is each reading right, and does none of them harm another?
import type { BenchOptions, Report } from '../harness/bench.ts';
import { runChild } from '../harness/child.ts';

const site = { units: 200, unitsOfALine: 8, pollMs: 5000 };

export async function measureQuirky({ quick, say }: BenchOptions): Promise<Report> {
  const measureMs = quick ? 600_000 : 3_600_000;
  say(`${site.units} units with habits, for ${measureMs / 60_000} minutes of their own time`);
  const found = await runChild(new URL('./quirky.child.ts', import.meta.url), {
    ...site,
    warmupMs: 120_000,
    measureMs,
  });
  return {
    figures: [
      {
        key: 'quirkyP99Ms',
        what: `polls of ${site.units} units with the habits of real ones, later than due (p99), ms`,
        value: found.p99Ms,
        aim: { at: 'most', value: 100 },
      },
      {
        key: 'quirkyWrong',
        what: 'readings of them that were wrong',
        value: (found.wrong ?? 0) + (found.silent ?? 0),
        aim: { at: 'most', value: 0 },
      },
    ],
    tables: [
      {
        title: `${site.units} units with habits, each polled every ${site.pollMs} ms for ${measureMs / 60_000} minutes of their time`,
        rows: [
          {
            readings: found.readings,
            wrong: found.wrong,
            'units without one': found.silent,
            'breaks in observation': found.breaks,
            'late, p99 ms': found.p99Ms,
            'late, most ms': found.maxMs,
            'between polls off by, p99 ms': found.apartP99Ms,
            'most ms': found.apartMaxMs,
          },
        ],
      },
    ],
    notes: [
      'Units with habits are simulated on a clock of their own: deaf at first, closing after each answer or when idle, in need of time, odd headers, registers that are refused or not answered, small requests, an echo. Two minutes before the measurement are for learning.',
    ],
  };
}
