// A million readings of backlog, drained by the module, beside the bare azure-iot-device SDK that sends the same
// bodies to the same hub; and how long live readings take meanwhile.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BareSettings } from './drain/bare.child.ts';
import type { DrainSettings } from './drain/drain.child.ts';
import type { FillSettings } from './drain/fill.child.ts';
import type { Bench, BenchOptions, Figure, Report } from './harness/bench.ts';
import { runChild } from './harness/child.ts';
import { makeDevice, removeDevices } from './harness/device.ts';
import { median, spread } from './harness/numbers.ts';
import { compile, imageSettings } from './relay/compiled.ts';
import { startHubBeside } from './relay/hub-beside.ts';

const children = {
  fill: new URL('drain/fill.child.ts', import.meta.url),
  bare: new URL('drain/bare.child.ts', import.meta.url),
  drain: new URL('drain/drain.child.ts', import.meta.url),
};
/** What the forwarder may have in flight; backlog uses three quarters of it. */
const concurrency = 64;
const livePollMs = 20;

interface Sent {
  readonly messagesPerSecond: number;
  readonly cpuMicrosPerMessage: number;
}

interface Round {
  readonly messages: number;
  readonly drain: Sent;
  readonly bare: Sent;
  readonly busyMs: readonly number[];
}

interface Shape {
  readonly readings: number;
  readonly readingsPerMessage: number;
  readonly rounds: number;
}

type Run = <T>(child: keyof typeof children, settings: T) => ReturnType<typeof runChild>;

export const bench: Bench = {
  about: 'a backlog drained beside the bare SDK, and live data meanwhile',
  async run(options: BenchOptions): Promise<Report> {
    const { quick, folder, say } = options;
    const work = mkdtempSync(join(folder, 'holdfast-bench-drain-'));
    try {
      say('compiling, as the image does');
      const compiled = compile(work, Object.values(children));
      const { env, text } = imageSettings();
      const run: Run = (child, settings) => runChild(compiled(children[child]), settings as object, { env });
      const readings = quick ? 200_000 : 1_000_000;
      const small = await repeatRounds(
        { readings, readingsPerMessage: 50, rounds: quick ? 2 : 5 },
        options,
        run,
      );
      const large = await repeatRounds(
        { readings, readingsPerMessage: 500, rounds: quick ? 1 : 3 },
        options,
        run,
      );
      say('live data alone');
      const idleMs = await measureIdle(options, run);
      return {
        figures: figuresOf(small, idleMs),
        tables: [
          { title: 'Messages a second', rows: [rowOf(small, 50), rowOf(large, 500)] },
          {
            title: 'From a reading to its acknowledgement, ms',
            rows: [
              latencyRow('nothing else to send', idleMs),
              latencyRow(
                'beside messages of 50 readings',
                small.flatMap(({ busyMs }) => busyMs),
              ),
              latencyRow(
                'beside messages of 500 readings',
                large.flatMap(({ busyMs }) => busyMs),
              ),
            ],
          },
        ],
        notes: notesOf(text, readings),
      };
    } finally {
      removeDevices();
      rmSync(work, { recursive: true, force: true });
    }
  },
};

async function repeatRounds(
  shape: Shape,
  { folder, say }: BenchOptions,
  run: Run,
): Promise<readonly Round[]> {
  const { readings, readingsPerMessage, rounds } = shape;
  const device = makeDevice(folder, 2048);
  const results: Round[] = [];
  try {
    for (let n = 0; n < rounds; n++) {
      say(`messages of ${readingsPerMessage} readings, round ${n + 1}`);
      const full = join(device.folder, `full-${n}`);
      const copy = join(device.folder, `copy-${n}`);
      const fill: FillSettings = { folder: join(full, 'spool'), readings, readingsPerMessage };
      await run('fill', fill);
      cpSync(join(full, 'spool'), copy, { recursive: true });
      // Each first every other time: what warms up for the one warms up for the other.
      results.push(await playRound(full, copy, n % 2 === 0, run));
      for (const each of [full, copy]) rmSync(each, { recursive: true });
    }
  } finally {
    device.remove();
  }
  return results;
}

async function playRound(full: string, copy: string, isBareFirst: boolean, run: Run): Promise<Round> {
  const hub = await startHubBeside();
  try {
    const { connectionString, caFile } = hub;
    const sendBare = async () => {
      const settings: BareSettings = { folder: copy, connectionString, caFile, concurrency };
      return (await run('bare', settings)) as unknown as Sent & { messages: number };
    };
    const drain = async () => {
      const settings: DrainSettings = { folder: full, connectionString, caFile, pollMs: livePollMs };
      return (await run('drain', settings)) as unknown as Sent & { latenciesMs: number[]; backlog: number };
    };
    const first = isBareFirst ? await sendBare() : undefined;
    const drained = await drain();
    const bare = first ?? (await sendBare());
    if (bare.messages !== drained.backlog)
      throw new Error(`the bare SDK sent ${bare.messages} messages, the drain ${drained.backlog}`);
    return { messages: bare.messages, drain: drained, bare, busyMs: drained.latenciesMs };
  } finally {
    await hub.stop();
  }
}

async function measureIdle({ folder, quick }: BenchOptions, run: Run): Promise<readonly number[]> {
  const device = makeDevice(folder, 512);
  const hub = await startHubBeside();
  try {
    const { connectionString, caFile } = hub;
    const idleMs = quick ? 5000 : 20_000;
    const settings: DrainSettings = {
      folder: device.folder,
      connectionString,
      caFile,
      pollMs: livePollMs,
      idleMs,
    };
    return ((await run('drain', settings)) as unknown as { latenciesMs: number[] }).latenciesMs;
  } finally {
    await hub.stop();
    device.remove();
  }
}

function figuresOf(rounds: readonly Round[], idleMs: readonly number[]): readonly Figure[] {
  const busyMs = rounds.flatMap((round) => round.busyMs);
  return [
    {
      key: 'drainVsBareSdk',
      what: 'messages/s of the drain, times those of the bare SDK',
      value: median(rounds.map(ratioOf)),
      aim: { at: 'least', value: 0.8 },
    },
    {
      key: 'drainMessagesPerSecond',
      what: 'messages/s of the drain',
      value: median(rounds.map(({ drain }) => drain.messagesPerSecond)),
    },
    {
      key: 'liveLatencyVsIdle',
      what: 'live latency p99 while it drains, times that with nothing else to send',
      value: percentile(busyMs, 99) / percentile(idleMs, 99),
      aim: { at: 'most', value: 3 },
    },
    { key: 'liveLatencyP99Ms', what: 'live latency p99 while it drains, ms', value: percentile(busyMs, 99) },
  ];
}

function rowOf(rounds: readonly Round[], readingsPerMessage: number) {
  const range = (pick: (round: Round) => number) => spread(rounds.map(pick));
  return {
    'readings a message': readingsPerMessage,
    messages: rounds[0]?.messages,
    'drain/s': range(({ drain }) => drain.messagesPerSecond),
    'bare SDK/s': range(({ bare }) => bare.messagesPerSecond),
    ratio: range(ratioOf),
    'drain CPU us': range(({ drain }) => drain.cpuMicrosPerMessage),
    'bare CPU us': range(({ bare }) => bare.cpuMicrosPerMessage),
    rounds: rounds.length,
  };
}

function ratioOf({ drain, bare }: Round): number {
  return drain.messagesPerSecond / bare.messagesPerSecond;
}

function latencyRow(what: string, latenciesMs: readonly number[]) {
  return {
    '': what,
    // A short run may end before a live reading is acknowledged.
    p50: latenciesMs.length === 0 ? undefined : percentile(latenciesMs, 50),
    p99: latenciesMs.length === 0 ? undefined : percentile(latenciesMs, 99),
    longest: latenciesMs.length === 0 ? undefined : Math.max(...latenciesMs),
    polls: latenciesMs.length,
  };
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * part) / 100))] ?? Number.NaN;
}

const notesOf = (memorySettings: string, readings: number) => [
  `${readings} readings of 50-tag polls; the drain reads them from the spool, writes its acknowledgements, and sends a live stream beside (50 polls a second).`,
  `The bare SDK has the same messages in memory before its time begins, and keeps ${concurrency} in flight: the forwarder's bound; backlog may use 48 of it.`,
  `Both compiled, with the image's ${memorySettings}; same hub process, one after the other, in turns.`,
  'Windows of the live stream close with each poll, commits are every 200 ms (the default): a site with windows of 10 s waits longer, idle or not.',
];
