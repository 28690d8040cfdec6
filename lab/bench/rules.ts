// What deciding on the gateway costs: rules beside a loop written by hand that computes the same, and the state of a key.
import type { Bench, BenchOptions, Figure, Report } from './harness/bench.ts';
import { runChild } from './harness/child.ts';
import { median, spread } from './harness/numbers.ts';
import type { LatencySettings } from './rules/latency.child.ts';
import type { NodeRedSettings } from './rules/node-red.child.ts';
import type { RulesSettings } from './rules/rules.child.ts';

const child = new URL('rules/rules.child.ts', import.meta.url);
const latencyChild = new URL('rules/latency.child.ts', import.meta.url);
const nodeRedChild = new URL('rules/node-red.child.ts', import.meta.url);
/** Where `npm install node-red` was run, if anywhere. */
const nodeRedFolder = process.env.HOLDFAST_NODE_RED;
const commitIntervalMs = 200;
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
  about: 'rules beside a loop written by hand, and Node-RED',
  async run({ quick, say }: BenchOptions): Promise<Report> {
    const rounds = quick ? 2 : 5;
    const run = (settings: RulesSettings) => runChild(child, settings, { nodeArgs: ['--expose-gc'] });
    const sides = { rules: [] as number[], 'hand-written': [] as number[] };
    // Long enough that all of both is compiled.
    const readings = quick ? 20_000 : 100_000;
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
    const nodeRed = nodeRedFolder === undefined ? [] : await measureNodeRed(nodeRedFolder, quick, say);
    const latency = await measureLatency(quick, say);
    say('state');
    const keys = quick ? 10_000 : 50_000;
    const state = await run({ what: 'state', query: keyed, rules: 1, readings: keys });
    return {
      figures: figures({ sides, rates, nodeRed, latency, stateBytes: state.heap! / state.keys! }),
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
          title: `From a reading to its action, ms; commits every ${commitIntervalMs} ms`,
          rows: latency.map(({ mode, p50, p99, actions }) => ({ rule: mode, p50, p99, actions })),
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
        nodeRedFolder === undefined
          ? 'Node-RED was not measured: `npm install node-red` in a folder of its own, and name that in HOLDFAST_NODE_RED.'
          : 'Node-RED runs the same rule headless, in a function node with its context in memory, behind another function node that makes the messages.',
        'The loop by hand knows this one rule: it waits for the watermark and closes windows as the rules do, and knows no other types, orders, keys or bounds, and no state to restore.',
      ],
    };
  },
};

interface Latency {
  readonly mode: 'durable first' | 'before durable';
  readonly p50: number;
  readonly p99: number;
  readonly actions: number;
}

async function measureLatency(quick: boolean, say: BenchOptions['say']): Promise<readonly Latency[]> {
  const measured: Latency[] = [];
  for (const beforeDurable of [false, true]) {
    const mode = beforeDurable ? 'before durable' : 'durable first';
    say(`latency: ${mode}`);
    const settings: LatencySettings = {
      ...{ beforeDurable, commitIntervalMs, everyMs: 37, readings: quick ? 100 : 600 },
    };
    const { p50, p99, actions } = await runChild(latencyChild, settings);
    measured.push({ mode, p50: p50!, p99: p99!, actions: actions! });
  }
  return measured;
}

/** Readings for a second of processor time, by round. */
async function measureNodeRed(folder: string, quick: boolean, say: BenchOptions['say']) {
  const rates: number[] = [];
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    say(`Node-RED, round ${round + 1}`);
    const readings = quick ? 50_000 : 200_000;
    const settings: NodeRedSettings = { folder, warmUp: 20_000, readings };
    const { cpuMicros } = await runChild(nodeRedChild, settings);
    rates.push(readings / (cpuMicros! / 1e6));
  }
  return rates;
}

interface Measured {
  readonly sides: { readonly rules: readonly number[]; readonly 'hand-written': readonly number[] };
  readonly rates: ReadonlyMap<string, readonly number[]>;
  readonly nodeRed: readonly number[];
  readonly latency: readonly Latency[];
  readonly stateBytes: number;
}

function figures({ sides, rates, nodeRed, latency, stateBytes }: Measured): readonly Figure[] {
  const perReading = median(sides.rules);
  const throughOne = median(rates.get('average of a window')!);
  const [durable, early] = latency;
  const peers: readonly Figure[] =
    nodeRed.length === 0
      ? []
      : [
          {
            key: 'rulesVsNodeRed',
            what: 'readings through one rule for a second of processor time, times those through Node-RED',
            value: throughOne / median(nodeRed),
            aim: { at: 'least', value: 20 },
          },
        ];
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
      value: throughOne,
      aim: { at: 'least', value: 300_000 },
    },
    ...peers,
    {
      key: 'rulesCpuPercent',
      what: `of one processor, ${tags} rules at ${readingsPerSecond} readings/s`,
      value: (perReading * readingsPerSecond) / 1e7,
    },
    {
      key: 'ruleLatencyP99Ms',
      what: `from the reading to the action, with commits every ${commitIntervalMs} ms, ms`,
      value: durable!.p99,
    },
    {
      key: 'ruleLatencyBeforeDurableP99Ms',
      what: 'the same with beforeDurable',
      value: early!.p99,
    },
    {
      key: 'stateBytesPerKey',
      what: 'memory of a key of an open window with two aggregates, bytes',
      value: stateBytes,
    },
  ];
}
