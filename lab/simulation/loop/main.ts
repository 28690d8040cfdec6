// `npm run sim`: lives through simulated worlds, and says what they are guilty of.
import { Command, Option } from 'commander';
import type { Database } from '../../../cloud-lite/database/database.ts';
import { emptyDatabase, openTestDatabase } from '../../../cloud-lite/testing/databases.ts';
import { positiveWhole, wholeNumber } from '../../plant/process-frame.ts';
import { runExhaustively } from '../exhaustive.ts';
import { sumOf, tableOf } from './meetings.ts';
import { circumstancesOf, planted } from './planted.ts';
import { shrink } from './shrink.ts';
import { type RunResult, runWorld } from './world.ts';

const values = new Command('npm run sim --')
  .description('Lives through simulated worlds, and says what they are guilty of.')
  .option('--seed <n>', 'the first world', wholeNumber, 1)
  .option('--seeds <n>', 'so many worlds, from that one on', positiveWhole, 1)
  .option('--database', 'the real detectors on PGlite, instead of the model of one', false)
  .addOption(
    new Option(
      '--sabotage <name>',
      'with a planted bug, or all of them: how many worlds it takes to find it, of 12 or --seeds',
    )
      .choices(['all', ...Object.keys(planted)])
      .conflicts(['database', 'coverage', 'exhaustive', 'trace']),
  )
  .option('--trace <lines>', 'so many last lines of what happened', wholeNumber, 40)
  .addOption(
    new Option(
      '--exhaustive',
      'one small workload of the spool alone, cut off at each operation, in each state of the disk',
    )
      .default(false)
      .conflicts(['seed', 'seeds', 'database', 'coverage', 'trace']),
  )
  .option('--coverage', 'which fault met which state, as a table', false)
  .option('--json', 'one line of JSON', false)
  .parse()
  .opts<{
    seed: number;
    seeds: number;
    database: boolean;
    sabotage?: string;
    trace: number;
    exhaustive: boolean;
    coverage: boolean;
    json: boolean;
  }>();
const { seed: first, seeds: count } = values;
/** A bug is looked for in so many worlds, unless `--seeds` says more. */
const sabotageSeeds = Math.max(count, 12);

if (values.exhaustive) process.exit(await exhaust());
process.exit(values.sabotage === undefined ? await live() : await sabotage(values.sabotage));

async function exhaust(): Promise<number> {
  const startedAt = performance.now();
  const facts = await runExhaustively();
  const summary = { ...facts, seconds: round((performance.now() - startedAt) / 1000) };
  console.log(values.json ? JSON.stringify(summary) : summary);
  return 0;
}

async function live(): Promise<number> {
  const database = values.database ? await openTestDatabase() : undefined;
  const startedAt = performance.now();
  const before = process.cpuUsage();
  const results: RunResult[] = [];
  for (let seed = first; seed < first + count; seed++) results.push(await one(seed, database));
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(before);
  const sum = (of: (result: RunResult) => number) => results.reduce((total, result) => total + of(result), 0);
  const failures = results.filter(({ findings }) => findings.length > 0);
  const meetings = sumOf(results.map((result) => result.meetings));
  const virtualMs = sum((result) => result.virtualMs);
  const summary = {
    runs: results.length,
    failures: failures.length,
    virtualHours: round(virtualMs / 3_600_000),
    // Virtual time for each second of one core's time, all threads together, whatever else the machine does.
    speedup: Math.round((virtualMs * 1000) / (user + system)),
    readings: sum((result) => result.readings),
    crashes: sum((result) => result.crashes),
    gapsRepaired: sum((result) => result.gapsRepaired),
    voids: sum((result) => result.voids),
    decided: sum((result) => result.verdicts),
    actions: sum((result) => result.actions),
    verdicts: [...new Set(failures.flatMap(({ findings }) => findings.map(({ verdict }) => verdict)))],
    cells: Object.keys(meetings).length,
    seconds: round(seconds),
  };
  if (values.coverage) console.log(tableOf(meetings));
  if (values.json) console.log(JSON.stringify(summary));
  else console.log(summary);
  return failures.length > 0 ? 1 : 0;
}

async function one(seed: number, database: Database | undefined): Promise<RunResult> {
  if (database !== undefined) await emptyDatabase(database);
  const result = await runWorld({ seed, database, keep: values.trace });
  if (!values.json) console.log(describe(result));
  if (result.findings.length > 0 && database === undefined) {
    const least = await shrink(result, { keep: values.trace });
    console.error(`seed ${seed} fails with these faults alone:`);
    for (const fault of least.faults) console.error(`  ${JSON.stringify(fault)}`);
    for (const line of least.trace) console.error(line);
    for (const { verdict, stream, detail } of least.findings)
      console.error(`  ${verdict}: ${stream}: ${detail}`);
  }
  return result;
}

async function sabotage(name: string): Promise<number> {
  const names = name === 'all' ? Object.keys(planted) : [name];
  const seedsNeeded: Record<string, number | null> = {};
  for (const each of names) {
    seedsNeeded[each] = await findPlanted(each);
    if (!values.json) console.log(`${each}: ${seedsNeeded[each] ?? 'not found'}`);
  }
  const caught = Object.values(seedsNeeded).filter((seeds) => seeds !== null).length;
  if (values.json) console.log(JSON.stringify({ planted: names.length, caught, seedsNeeded }));
  return caught === names.length ? 0 : 1;
}

/** Worlds that it takes; null where it is not found in time. */
async function findPlanted(name: string): Promise<number | null> {
  const bug = planted[name];
  if (bug === undefined) throw new Error(`unknown: ${name}; known: ${Object.keys(planted).join(', ')}`);
  for (let n = 0; n < sabotageSeeds; n++) {
    const { findings } = await runWorld({ seed: first + n, ...circumstancesOf(bug) });
    if (findings.some(({ verdict }) => bug.foundAs.includes(verdict))) return n + 1;
  }
  return null;
}

function describe({ seed, findings, faults, virtualMs, readings, voids, hash }: RunResult): string {
  const verdict =
    findings.length === 0 ? 'ok' : `GUILTY of ${findings.map(({ verdict: v }) => v).join(', ')}`;
  return `seed ${seed}: ${verdict}; ${faults.length} faults, ${Math.round(virtualMs / 1000)} s, ${readings} readings, ${voids} voids, ${hash.slice(0, 12)}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
