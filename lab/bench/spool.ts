// What it costs to keep readings: windows, journal, spool, acknowledgement and retention, beside a plain file
// that is given the same commits in the same run.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, BenchOptions, Figure, Report } from './harness/bench.ts';
import { removeDevices } from './harness/device.ts';
import { median, rounded, spread } from './harness/numbers.ts';
import { type Backlog, measureBacklog } from './spool/backlog.ts';
import { measureClosedLoop } from './spool/closed-loop.ts';
import { type Contender, type Paced, type Run, runPaced, runStepped, type Written } from './spool/paced.ts';
import { slowSyncEnv } from './spool/slow-sync.ts';
import { measureTrim, type Trim } from './spool/trim.ts';

export const bench: Bench = {
  about: 'the spool beside a plain file that syncs as often',
  async run(options) {
    const work = mkdtempSync(join(options.folder, 'holdfast-bench-work-'));
    try {
      return await measure({ ...options, folder: work });
    } finally {
      removeDevices();
      rmSync(work, { recursive: true, force: true });
    }
  },
};

interface Plan {
  readonly archiveMB: number;
  readonly pacedRuns: number;
  readonly pacedMs: number;
  /** On the clock that waits for the disk. */
  readonly fastMs: number;
  readonly slowMs: number;
  readonly backlogMB: number;
  readonly reopenings: number;
  readonly closedLoopRuns: number;
  readonly delayRuns: number;
  readonly trimMB: readonly [number, number];
}

const thorough: Plan = {
  archiveMB: 48,
  pacedRuns: 3,
  pacedMs: 30_000,
  fastMs: 240_000,
  slowMs: 900_000,
  backlogMB: 1024,
  reopenings: 7,
  closedLoopRuns: 5,
  delayRuns: 3,
  trimMB: [64, 4096],
};
const quick: Plan = {
  archiveMB: 16,
  pacedRuns: 1,
  pacedMs: 5000,
  fastMs: 40_000,
  slowMs: 100_000,
  backlogMB: 256,
  reopenings: 3,
  closedLoopRuns: 1,
  delayRuns: 1,
  trimMB: [64, 256],
};

const commitMs = 200;
const fastRate = 100_000;
// Equipment polled every 5 ms: 50 tags each.
const streams = 10;
const slowRate = 1000;
const slowSyncMs = 15;
const pair: readonly Contender[] = ['file', 'spool'];
const trio: readonly Contender[] = ['nothing', 'file', 'spool'];
type Runs<T> = readonly Run<T>[];

async function measure(options: BenchOptions): Promise<Report> {
  const plan = options.quick ? quick : thorough;
  const { archiveMB } = plan;
  const { folder, say } = options;
  const fast = { readingsPerSecond: fastRate, commitMs, warmupMs: 2000, measureMs: plan.pacedMs };

  say(`${fastRate} readings/s: processor`);
  const paced = await repeat(plan.pacedRuns, () => runPaced(trio, { ...fast, streams, archiveMB }, folder));
  say(`${fastRate} and ${slowRate} readings/s: bytes`);
  const stepped = { commitMs, archiveMB, warmupMs: 4000 };
  const rate = (readingsPerSecond: number, of: number, measureMs: number) =>
    runStepped(pair, { ...stepped, streams: of, readingsPerSecond, measureMs }, folder);
  // Side by side: the load of the machine does not change what is written.
  const [bytes, slow] = await Promise.all([
    rate(fastRate, streams, plan.fastMs),
    rate(slowRate, 1, plan.slowMs),
  ]);
  say('as fast as it goes');
  const closed = await repeat(plan.closedLoopRuns, () => measureClosedLoop(folder, options.quick));
  say(`a backlog of ${plan.backlogMB} MB`);
  const backlog = await measureBacklog({ ...options, folder }, plan.backlogMB, plan.reopenings);
  const trim = await measureTrim(options, plan.trimMB);
  say(`${slowSyncMs} ms added to each sync`);
  const env = slowSyncEnv(join(folder, 'slow-sync'), slowSyncMs);
  const delayed = { ...fast, streams, archiveMB: 8, urgent: true };
  const delays =
    env === undefined ? undefined : await repeat(plan.delayRuns, () => runPaced(trio, delayed, folder, env));

  const rates = closed.map(({ readingsPerSecond }) => readingsPerSecond);
  return {
    figures: makeFigures({ paced, bytes, slow, delays, backlog, trim, closedLoop: median(rates) }),
    tables: [
      { title: `${fastRate} readings/s in real time, ${streams} streams`, rows: cpuRows(paced) },
      { title: `${fastRate} readings/s, commit for commit, ${streams} streams`, rows: byteRows(bytes) },
      { title: `${slowRate} readings/s, commit for commit, 1 stream`, rows: byteRows(slow) },
      {
        title: 'Closed loop',
        rows: [
          {
            'readings/s': spread(rates),
            'CPU us per reading': median(closed.map(({ cpuMicrosPerReading }) => cpuMicrosPerReading)),
          },
        ],
      },
      { title: 'Backlog', rows: [backlog.table] },
      { title: 'An archive whose oldest quarter is removed', rows: trim.table },
      ...(delays === undefined
        ? []
        : [{ title: `${slowSyncMs} ms added to each sync`, rows: delayRows(delays) }]),
    ],
    notes: makeNotes(paced, backlog, env !== undefined),
  };
}

interface Measured {
  readonly paced: Runs<Paced>;
  readonly bytes: Run<Written>;
  readonly slow: Run<Written>;
  readonly delays: Runs<Paced> | undefined;
  readonly backlog: Backlog;
  readonly trim: Trim;
  readonly closedLoop: number;
}

function makeFigures({ paced, bytes, slow, delays, backlog, trim, closedLoop }: Measured): readonly Figure[] {
  const most = (value: number) => ({ at: 'most', value }) as const;
  return [
    {
      key: 'cpuVsPlainFile',
      what: `CPU at ${fastRate} readings/s, times the plain file's`,
      value: ratioOf(paced, ({ coreShare }) => coreShare),
      aim: most(2.0),
    },
    {
      key: 'bytesVsPlainFile',
      what: `device bytes at ${fastRate} readings/s, times the plain file's`,
      value: bytesRatio(bytes),
      aim: most(2.2),
    },
    {
      key: 'closedLoopReadingsPerSecond',
      what: 'readings/s, as fast as it goes',
      value: closedLoop,
      aim: { at: 'least', value: 500_000 },
    },
    {
      key: 'bytesVsPlainFileSlow',
      what: `device bytes at ${slowRate} readings/s, times the plain file's`,
      value: bytesRatio(slow),
      aim: most(1.3),
    },
    { key: 'reopenMs', what: 'opening the backlog, cold, ms', value: backlog.reopenMs, aim: most(300) },
    {
      key: 'residentGrowthMB',
      what: 'anonymous memory more than without the backlog, MB',
      value: backlog.residentGrowthMB,
      aim: most(15),
    },
    {
      key: 'residentGrowthByDefaultMB',
      what: "the same with Node's and glibc's own memory settings, MB",
      value: backlog.growthByDefaultMB,
    },
    {
      key: 'diskLeftMB',
      what: 'disk once the backlog is acknowledged and retained out, MB',
      value: backlog.diskLeftMB,
      aim: most(32),
    },
    {
      key: 'archiveCompactionGrowth',
      what: 'bytes written for each byte of the archive that is freed, times those of a small archive',
      value: trim.growth,
      aim: most(1.3),
    },
    {
      key: 'loopDelayP99Ms',
      what: `event-loop delay p99, ${slowSyncMs} ms added to each sync, ms`,
      value: delays && median(delays.map(({ spool }) => spool.loopDelayP99Ms)),
      aim: most(10),
    },
  ];
}

function bytesRatio({ spool, file }: Run<Written>): number {
  return spool.bytesPerReading / file.bytesPerReading;
}

/** The median of the ratios within each run: what disturbed a run disturbed both. */
function ratioOf<T>(runs: Runs<T>, of: (run: T) => number): number {
  return median(runs.map(({ spool, file }) => of(spool) / of(file)));
}

function cpuRows(runs: Runs<Paced>) {
  return trio.map((contender) => {
    const all = runs.map((run) => run[contender]);
    return {
      contender: names[contender],
      'CPU % of a core': spread(all.map(({ coreShare }) => coreShare * 100)),
      'CPU us per reading': spread(all.map(({ cpuMicrosPerReading }) => cpuMicrosPerReading)),
      'synced commits': spread(all.map(({ commits }) => commits)),
      runs: runs.length,
    };
  });
}

function byteRows(run: Run<Written>) {
  return pair.map((contender) => {
    const { bytesPerReading, commits, readings } = run[contender];
    return {
      contender: names[contender],
      'device bytes per reading': bytesPerReading,
      'synced commits': commits,
      readings,
    };
  });
}

function delayRows(runs: Runs<Paced>) {
  return trio.map((contender) => {
    const all = runs.map((run) => run[contender]);
    return {
      contender: names[contender],
      'p99 ms': spread(all.map(({ loopDelayP99Ms }) => loopDelayP99Ms)),
      'longest ms': spread(all.map(({ loopDelayMaxMs }) => loopDelayMaxMs)),
      'commit ms': contender === 'spool' ? spread(all.map(({ commitMs }) => commitMs)) : undefined,
    };
  });
}

const names: Readonly<Record<Contender, string>> = {
  nothing: 'the source alone',
  file: 'plain file',
  spool: 'Holdfast',
};

function makeNotes(paced: Runs<Paced>, backlog: Backlog, hasCompiler: boolean): readonly string[] {
  const { spool } = paced[0]!;
  const net = median(
    paced.map(
      (run) => (run.spool.coreShare - run.nothing.coreShare) / (run.file.coreShare - run.nothing.coreShare),
    ),
  );
  const counts =
    spool.counts === 'device'
      ? 'Device bytes are counted at the block device of an ext4 of its own: data, journal and metadata.'
      : 'Device bytes are /proc/PID/io write_bytes, since no file system could be mounted: without its journal.';
  return [
    counts,
    `CPU is that of the whole process, the source included; without the source the ratio is ${rounded(net)}.`,
    'The plain file encodes as the journal does (JSON columns, zstd level 1), appends, and calls fdatasync.',
    'Bytes are counted on a clock that waits for the disk, commit for commit: the load of the machine does not matter.',
    'An archive is there from the beginning, and retention removes as much as comes in.',
    ...backlog.notes,
    hasCompiler
      ? 'Syncs are slowed by a preloaded library, in LevelDB and Node alike. The delays include the timer of 1 ms.'
      : 'No C compiler (cc): syncs could not be slowed, so loopDelayP99Ms is missing.',
  ];
}

async function repeat<T>(times: number, work: () => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  for (let n = 0; n < times; n++) results.push(await work());
  return results;
}
