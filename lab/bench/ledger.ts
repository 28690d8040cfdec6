// What the detector costs: windows into the ledger and the offsets with them, looks of repair over a large fleet,
// and the memory of its process.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Database } from '../../cloud-lite/database/database.ts';
import { migrate } from '../../cloud-lite/database/migrate.ts';
import { openPgliteDatabase } from '../../cloud-lite/database/pglite-database.ts';
import { openPostgresDatabase } from '../../cloud-lite/database/postgres-database.ts';
import { startPostgres, type TestPostgres } from '../../cloud-lite/testing/postgres.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import type { Bench, BenchOptions, Figure, Report } from './harness/bench.ts';
import { runChild } from './harness/child.ts';
import { median, spread } from './harness/numbers.ts';
import { buildDetector } from './ledger/build-detector.ts';
import { fillFleet } from './ledger/fill-fleet.ts';
import { type Engine, type GrowthPlan, growAll, growthFigures, growthRow } from './ledger/growth.ts';
import type { IngestSettings } from './ledger/ingest.child.ts';
import { measureResident, type Resident } from './ledger/resident.ts';
import type { SweepSettings } from './ledger/sweep.child.ts';

export const bench: Bench = {
  about: 'the ledger on PGlite and PostgreSQL, beside a bare table',
  async run(options) {
    const folder = mkdtempSync(join(options.folder, 'holdfast-bench-work-'));
    const postgres = await startPostgres({ durable: true, parent: options.folder });
    // The server is a child of this process, but not of its group's end.
    const stop = () => postgres.kill();
    process.once('exit', stop);
    try {
      return await measure({ ...options, folder }, postgres);
    } finally {
      process.off('exit', stop);
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

interface Plan {
  readonly runs: number;
  /** Batches of each of the four partitions. */
  readonly batches: Readonly<Record<Engine, number>>;
  readonly looks: number;
  readonly sweepEngines: readonly Engine[];
  readonly backlog: number;
  readonly growth: GrowthPlan;
  readonly residentSeconds: number;
  readonly residentRuns: number;
}

const engines: readonly Engine[] = ['pglite', 'postgres'];
const engineNames: Readonly<Record<Engine, string>> = { pglite: 'PGlite', postgres: 'PostgreSQL' };

const thorough: Plan = {
  runs: 5,
  batches: { pglite: 50, postgres: 100 },
  looks: 31,
  sweepEngines: engines,
  backlog: 20_000,
  growth: { engines, holes: 100_000, arrivals: 300 },
  residentSeconds: 20,
  residentRuns: 3,
};
const quick: Plan = {
  runs: 1,
  batches: { pglite: 12, postgres: 30 },
  looks: 9,
  sweepEngines: ['postgres'],
  backlog: 5000,
  growth: { engines: ['postgres'], holes: 20_000, arrivals: 100 },
  residentSeconds: 3,
  residentRuns: 1,
};

const partitions = 4;
const batchSize = 500;
const fewStreams = 100;
const manyStreams = 10_000;
const smallFleet = 1000;
const largeFleet = 100_000;
const embeddedFleet = 10_000;
/** One stream in a hundred of the large fleet has a hole; the small fleet has as many holes. */
const openGaps = largeFleet / 100;

async function measure(options: BenchOptions, postgres: TestPostgres): Promise<Report> {
  const plan = options.quick ? quick : thorough;
  const ingested = await ingestAll(options, plan, postgres);
  const looks = await sweepAll(options, plan, postgres);
  const grown = await growAll(
    plan.growth,
    (engine) => freshDatabase(engine, options.folder, postgres),
    options.say,
  );
  options.say('memory');
  const resident = await residentAll(options, plan, postgres);
  return {
    figures: [...makeFigures(ingested, looks, resident), ...growthFigures(grown)],
    tables: [
      { title: 'Windows to commit', rows: ingested.map(ingestRow) },
      { title: `One look of repair, ${openGaps} open gaps, ms`, rows: looks.map(lookRow) },
      { title: 'One stream after years of breaks', rows: grown.map(growthRow) },
      { title: 'Memory of the detector, MB', rows: resident.map(residentRow) },
    ],
    notes: [
      `Events are given as the Event Hubs client hands them over, ${partitions} partitions side by side, ${batchSize} a batch; ` +
        'each batch is one transaction with its offset. 1 % of the windows are lost, half of those come later as backfill, 1 % come twice.',
      'PostgreSQL runs with its own defaults (every commit synced), on the same machine and disk. PGlite syncs every commit too.',
      'The bare table takes the same events into a row a window, `insert .. on conflict do nothing`, and the offset. It finds no gaps.',
      `A look notices, finds, follows, records and claims. The first finds nothing in its books, the second asks for all ${openGaps} gaps at once.`,
      `Memory: ${largeFleet} streams in the ledger, ${embeddedFleet} where the database is inside; a backlog is read from the stand-in hub, then 200 messages/s come and a page and Prometheus look. ` +
        'Compiled: as the image has it, with its settings for Node and malloc; from TypeScript: as Node does by default.',
    ],
  };
}

interface Ingested {
  readonly engine: Engine;
  readonly into: IngestSettings['into'];
  readonly streams: number;
  readonly perSecond: readonly number[];
  readonly cpuMicros: readonly number[];
}

/** Turn by turn, so that what disturbs the machine disturbs all. */
async function ingestAll(
  options: BenchOptions,
  plan: Plan,
  postgres: TestPostgres,
): Promise<readonly Ingested[]> {
  const kinds = engines.flatMap((engine) =>
    [
      { engine, into: 'ledger', streams: fewStreams } as const,
      { engine, into: 'ledger', streams: manyStreams } as const,
      { engine, into: 'bare table', streams: fewStreams } as const,
    ].map((kind) => ({ ...kind, perSecond: [] as number[], cpuMicros: [] as number[] })),
  );
  for (let run = 0; run < plan.runs; run++) {
    for (const kind of kinds) {
      options.say(`${engineNames[kind.engine]}, ${kind.streams} streams into the ${kind.into}`);
      const { engine, into, streams } = kind;
      const settings: IngestSettings = {
        ...(await freshDatabase(engine, options.folder, postgres)),
        into,
        streams,
        partitions,
        batchSize,
        warmup: 8,
        measured: plan.batches[engine],
      };
      const result = await runChild(new URL('ledger/ingest.child.ts', import.meta.url), settings);
      kind.perSecond.push(result.windowsPerSecond!);
      kind.cpuMicros.push(result.cpuMicrosPerWindow!);
    }
  }
  return kinds;
}

interface Looks {
  readonly engine: Engine;
  readonly streams: number;
  readonly first: number;
  readonly second: number;
  /** Median of the later ones. */
  readonly later: number;
}

async function sweepAll(
  options: BenchOptions,
  plan: Plan,
  postgres: TestPostgres,
): Promise<readonly Looks[]> {
  const all: Looks[] = [];
  for (const engine of plan.sweepEngines) {
    for (const streams of [smallFleet, largeFleet]) {
      options.say(`${engineNames[engine]}, looks over ${streams} streams`);
      const settings: SweepSettings = {
        ...(await freshDatabase(engine, options.folder, postgres)),
        streams,
        openGaps,
        looks: plan.looks,
      };
      const result = await runChild(new URL('ledger/sweep.child.ts', import.meta.url), settings);
      if (result.openGaps !== openGaps) throw new Error(`${result.openGaps} gaps are open, not ${openGaps}`);
      all.push({ engine, streams, first: result.noticing!, second: result.finding!, later: result.steady! });
    }
  }
  return all;
}

interface ResidentRun {
  readonly how: 'compiled' | 'from TypeScript' | 'compiled, database inside';
  readonly runs: readonly Resident[];
}

async function residentAll(
  options: BenchOptions,
  plan: Plan,
  postgres: TestPostgres,
): Promise<readonly ResidentRun[]> {
  const { folder } = options;
  const built = await buildDetector(mkdtempSync(join(folder, 'built-')));
  const source = { main: fileURLToPath(new URL('../../cloud-lite/main.ts', import.meta.url)) };
  const inServer = async () => {
    const url = await postgres.createDatabase();
    await fillLedger(openPostgresDatabase({ url, log: silentLog }), largeFleet);
    return { url };
  };
  // The detector opens what another process has made, as after a restart.
  const inside = async () => {
    const dataFolder = mkdtempSync(join(folder, 'embedded-'));
    await fillLedger(await openPgliteDatabase(join(dataFolder, 'ledger')), embeddedFleet);
    return { dataFolder };
  };
  const all: ResidentRun[] = [];
  for (const [how, program, makeDatabase] of [
    ['compiled', built, inServer],
    ['from TypeScript', source, inServer],
    ['compiled, database inside', built, inside],
  ] as const) {
    const runs: Resident[] = [];
    for (let run = 0; run < plan.residentRuns; run++) {
      const load = { backlog: plan.backlog, rate: 200, seconds: plan.residentSeconds };
      const database = await makeDatabase();
      runs.push(await measureResident({ dashboard: built.dashboard, ...program, ...load, database, folder }));
    }
    all.push({ how, runs });
  }
  return all;
}

async function fillLedger(database: Database, streams: number): Promise<void> {
  await migrate(database);
  const shape = { streams, withGap: streams / 100, streamsPerDevice: 4 };
  await fillFleet(database, { ...shape, now: systemClock.now() });
  await database.close();
}

async function freshDatabase(
  engine: Engine,
  folder: string,
  postgres: TestPostgres,
): Promise<{ readonly url?: string; readonly folder?: string }> {
  return engine === 'postgres'
    ? { url: await postgres.createDatabase() }
    : { folder: mkdtempSync(join(folder, 'pglite-')) };
}

function makeFigures(
  ingested: readonly Ingested[],
  looks: readonly Looks[],
  resident: readonly ResidentRun[],
): readonly Figure[] {
  const rate = (engine: Engine, into: IngestSettings['into'], streams: number) =>
    median(
      ingested.find((one) => one.engine === engine && one.into === into && one.streams === streams)!
        .perSecond,
    );
  const later = (streams: number) =>
    looks.find((one) => one.engine === 'postgres' && one.streams === streams)!.later;
  const of = (how: ResidentRun['how'], pick: (run: Resident) => number) =>
    median(resident.find((one) => one.how === how)!.runs.map(pick));
  const steady = (how: ResidentRun['how']) => of(how, ({ steadyMB }) => steadyMB);
  const least = (value: number) => ({ at: 'least', value }) as const;
  const most = (value: number) => ({ at: 'most', value }) as const;
  return [
    {
      key: 'pgliteWindowsPerSecond',
      what: `windows/s to commit, PGlite, ${fewStreams} streams`,
      value: rate('pglite', 'ledger', fewStreams),
      aim: least(20_000),
    },
    {
      key: 'postgresWindowsPerSecond',
      what: `windows/s to commit, PostgreSQL, ${fewStreams} streams`,
      value: rate('postgres', 'ledger', fewStreams),
      aim: least(50_000),
    },
    {
      key: 'pgliteManyStreamsWindowsPerSecond',
      what: `the same, ${manyStreams} streams, PGlite`,
      value: rate('pglite', 'ledger', manyStreams),
    },
    {
      key: 'postgresManyStreamsWindowsPerSecond',
      what: `the same, ${manyStreams} streams, PostgreSQL`,
      value: rate('postgres', 'ledger', manyStreams),
    },
    {
      key: 'pgliteVsBareTable',
      what: 'rate, times a bare table on PGlite',
      value: rate('pglite', 'ledger', fewStreams) / rate('pglite', 'bare table', fewStreams),
    },
    {
      key: 'postgresVsBareTable',
      what: 'rate, times a bare table on PostgreSQL',
      value: rate('postgres', 'ledger', fewStreams) / rate('postgres', 'bare table', fewStreams),
    },
    {
      key: 'sweepMs',
      what: `one look of repair over ${largeFleet} streams, PostgreSQL, ms`,
      value: later(largeFleet),
    },
    {
      key: 'sweepGrowth',
      what: `that, times one over ${smallFleet} streams with as many gaps`,
      value: later(largeFleet) / later(smallFleet),
      aim: most(2),
    },
    {
      key: 'residentMB',
      what: 'resident memory, compiled as in the image, MB',
      value: steady('compiled'),
      aim: most(120),
    },
    {
      key: 'residentFromTypeScriptMB',
      what: "the same from TypeScript with Node's own settings, MB",
      value: steady('from TypeScript'),
    },
    {
      key: 'ingestUsPerMessage',
      what: 'processor time a message of the backlog, AMQP and all, compiled as in the image, us',
      value: of('compiled', ({ cpuMicrosPerMessage }) => cpuMicrosPerMessage),
      aim: most(105),
    },
    {
      key: 'embeddedMB',
      what: `resident memory with the database inside, ${embeddedFleet} streams, compiled as in the image, MB`,
      value: steady('compiled, database inside'),
      aim: most(200),
    },
    {
      key: 'embeddedPeakMB',
      what: 'the most of it ever, MB',
      value: of('compiled, database inside', ({ peakMB }) => peakMB),
      aim: most(250),
    },
  ];
}

function ingestRow({ engine, into, streams, perSecond, cpuMicros }: Ingested) {
  return {
    database: engineNames[engine],
    into,
    streams,
    'windows/s': median(perSecond),
    range: spread(perSecond),
    "CPU us per window, the detector's process": median(cpuMicros),
    runs: perSecond.length,
  };
}

function lookRow({ engine, streams, first, second, later }: Looks) {
  return { database: engineNames[engine], streams, first, second, 'each later one': later };
}

function residentRow({ how, runs }: ResidentRun) {
  const of = (pick: (run: Resident) => number) => spread(runs.map(pick));
  return {
    '': how,
    started: of(({ startedMB }) => startedMB),
    steady: of(({ steadyMB }) => steadyMB),
    highest: of(({ peakMB }) => peakMB),
    'CPU us per message of the backlog, AMQP and all': of(({ cpuMicrosPerMessage }) => cpuMicrosPerMessage),
    runs: runs.length,
  };
}
