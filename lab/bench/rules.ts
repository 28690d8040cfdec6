// What deciding on the gateway costs: rules beside a loop written by hand that computes the same, and the state of a key.
import type { Bench, BenchOptions, Figure, Report } from './harness/bench.ts';
import { runChild } from './harness/child.ts';
import { median, spread } from './harness/numbers.ts';
import type { RulesSettings } from './rules/rules.child.ts';

const child = new URL('rules/rules.child.ts', import.meta.url);
const tags = 100;
const readingsPerSecond = 100_000;

const seedQuery = `SELECT 'reset' AS command, Max(timeCreated) AS maxEventTime INTO output FROM input TIMESTAMP BY timeCreated
GROUP BY TumblingWindow(second, 10) HAVING Avg(machine.temperature) > 30`;

/** One rule each, all readings through it. */
const queries: Readonly<Record<string, string>> = {
  'average of a window': seedQuery,
  'filter and projection':
    'SELECT machine.temperature AS t INTO output FROM input WHERE machine.temperature > 33',
  'hopping window': 'SELECT AVG(machine.temperature) AS t FROM input GROUP BY HoppingWindow(second, 10, 1)',
  LAG: 'SELECT machine.temperature AS t FROM input WHERE LAG(machine.temperature) OVER (LIMIT DURATION(second, 10)) > machine.temperature + 13',
  'sliding window':
    'SELECT AVG(machine.temperature) AS t FROM input GROUP BY SlidingWindow(second, 10) HAVING AVG(machine.temperature) > 60',
};

const keyed = 'SELECT key, AVG(value) AS a, MAX(value) AS m FROM input GROUP BY key, TumblingWindow(day, 1)';

export const bench: Bench = {
  about: 'rules beside a loop written by hand',
  async run({ quick, say }: BenchOptions): Promise<Report> {
    const rounds = quick ? 2 : 5;
    const run = (settings: RulesSettings) => runChild(child, settings, { nodeArgs: ['--expose-gc'] });
    const sides = { rules: [] as number[], 'hand-written': [] as number[] };
    const readings = quick ? 10_000 : 40_000;
    for (let round = 0; round < rounds; round++) {
      for (const what of ['rules', 'hand-written'] as const) {
        say(`${tags} ${what === 'rules' ? 'rules' : 'loops'}, round ${round + 1}`);
        const result = await run({ what, query: seedQuery, rules: tags, readings });
        // Nanoseconds of processor time for each reading.
        sides[what].push((result.cpuMicros! * 1000) / (tags * readings));
      }
    }
    const rates = new Map<string, number[]>();
    for (let round = 0; round < Math.min(rounds, 3); round++) {
      for (const [name, query] of Object.entries(queries)) {
        say(`one rule: ${name}`);
        const all = quick ? 200_000 : 1_000_000;
        const result = await run({ what: 'rules', query, rules: 1, readings: all });
        rates.set(name, [...(rates.get(name) ?? []), all / (result.cpuMicros! / 1e6)]);
      }
    }
    say('state');
    const keys = quick ? 10_000 : 50_000;
    const state = await run({ what: 'state', query: keyed, rules: 1, readings: keys });
    return {
      figures: figures(sides, rates, state.heap! / state.keys!),
      tables: [
        {
          title: `${tags} rules over ${tags} tags, ns of processor time a reading`,
          rows: [
            {
              rules: median(sides.rules),
              'by hand': median(sides['hand-written']),
              'rules, range': spread(sides.rules),
              'by hand, range': spread(sides['hand-written']),
            },
          ],
        },
        {
          title: 'One rule, readings for a second of processor time',
          rows: [...rates].map(([rule, all]) => ({ rule, readings: median(all), range: spread(all) })),
        },
        {
          title: 'A key of an open window with two aggregates, bytes',
          rows: [
            {
              keys: state.keys!,
              heap: state.heap! / state.keys!,
              'as JSON': state.json! / state.keys!,
              'as the limit counts it': state.estimated! / state.keys!,
            },
          ],
        },
      ],
      notes: [
        `Each tag has a reading every ms, ${readingsPerSecond} readings/s in all; rows are given as a commit makes them durable, 200 of a tag at a time. Rows are made beforehand for both sides.`,
        'The loop by hand knows this one rule: it waits for the watermark and closes windows as the rules do, and knows no other types, orders, keys or bounds, and no state to restore.',
      ],
    };
  },
};

function figures(
  sides: { readonly rules: readonly number[]; readonly 'hand-written': readonly number[] },
  rates: ReadonlyMap<string, readonly number[]>,
  stateBytes: number,
): readonly Figure[] {
  const perReading = median(sides.rules);
  return [
    {
      key: 'rulesVsHandWritten',
      what: `processor time of ${tags} rules, times that of loops written by hand`,
      value: perReading / median(sides['hand-written']),
      aim: { at: 'most', value: 3 },
    },
    {
      key: 'ruleReadingsPerSecond',
      what: 'readings through one rule, for a second of processor time',
      value: median(rates.get('average of a window')!),
      aim: { at: 'least', value: 300_000 },
    },
    {
      key: 'rulesCpuPercent',
      what: `of one processor, ${tags} rules at ${readingsPerSecond} readings/s`,
      value: (perReading * readingsPerSecond) / 1e7,
    },
    {
      key: 'stateBytesPerKey',
      what: 'memory of a key of an open window with two aggregates, bytes',
      value: stateBytes,
    },
  ];
}
