// `npm run soak -- --hours N`: the whole loop for hours, with faults from a seed, and a verdict: every reading accounted for, nothing
// that grew. `npm run chaos -- --minutes N`: the same with disks and databases that fail, too. The report goes to a folder, with a chart.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { seededRandom } from '../../kernel/random.ts';
import type { Account } from '../demo/account.ts';
import { repositoryFile } from '../demo/processes.ts';
import { tableLines } from '../demo/report.ts';
import { comeToRest } from '../demo/tour.ts';
import { startWorld } from '../demo/world.ts';
import { canMountFuse } from '../disk/fuse-disk.ts';
import { type ChaosParts, startChaosParts } from './chaos.ts';
import { drawChart } from './chart.ts';
import { commonFaults, makeFaults } from './faults.ts';
import { type Sample, takeSample } from './samples.ts';
import { growthOf } from './verdict.ts';

const options = new Command('npm run soak --')
  .description(
    'The whole loop for hours, with faults, memory, descriptors and disk looked at, and a verdict.',
  )
  .option('--hours <n>', 'how long, without the end', positive, 1)
  .option('--minutes <n>', 'the same in minutes', positive)
  .option(
    '--chaos',
    'on a disk that fails and loses what was not synced, and on PostgreSQL that dies: needs root and /dev/fuse',
  )
  .option('--seed <n>', 'faults and what the equipment measures follow from it', positive, 1)
  .option('--quiet <seconds>', 'between two faults at most', positive, 45)
  .option(
    '--report <folder>',
    'where report.md, chart.svg and samples.jsonl go (default: artefacts/soak, or artefacts/chaos)',
  )
  .option('--json', 'one line of JSON on standard output')
  .parse()
  .opts<{
    hours: number;
    minutes?: number;
    seed: number;
    quiet: number;
    report?: string;
    chaos?: boolean;
    json?: boolean;
  }>();
const kind = options.chaos ? 'chaos' : 'soak';
const hours = options.minutes === undefined ? options.hours : options.minutes / 60;

const startedAt = Date.now();
const secondsNow = () => (Date.now() - startedAt) / 1000;
const say = (text: string) => console.error(`${(secondsNow() / 60).toFixed(1).padStart(6)} min  ${text}`);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)));

const folder = mkdtempSync(join(tmpdir(), `holdfast-${kind}-`));
const report = resolve(options.report ?? repositoryFile(`artefacts/${kind}`));
mkdirSync(report, { recursive: true });
const samples: Sample[] = [];
const faults: { seconds: number; name: string }[] = [];
process.exitCode = await run();
process.exit();

async function run(): Promise<number> {
  if (!options.chaos) return runWith(undefined);
  if (!canMountFuse()) {
    console.error(
      'chaos needs root and /dev/fuse, for a disk that fails: run it as root, or npm run soak instead',
    );
    return 2;
  }
  const parts = await startChaosParts();
  for (const lack of parts.lacks) say(`without a part of it: ${lack}`);
  return runWith(parts).finally(() => parts.stop());
}

function worldOf({ dataFolder, databaseUrl, detectorEnv, wayToHub }: ChaosParts) {
  return { dataFolder, databaseUrl, detectorEnv, ...(wayToHub && { wayToHub }) };
}

async function runWith(parts: ChaosParts | undefined): Promise<number> {
  const world = await startWorld({
    folder,
    ...(parts && worldOf(parts)),
    seed: options.seed,
    onEvent: (text, tone) => {
      if (tone === 'bad') say(text);
    },
  });
  try {
    say(`running; dashboard: ${world.dashboardUrl}; everything written is in ${folder}`);
    const until = AbortSignal.any([stop.signal, AbortSignal.timeout(hours * 3.6e6)]);
    const sampling = keepSampling(world, until);
    const made = await makeFaults({
      ...{ world, random: seededRandom(options.seed), signal: until, quietMs: options.quiet * 1000 },
      faults: [...commonFaults, ...(parts?.faults ?? [])],
      said(name) {
        say(name);
        faults.push({ seconds: secondsNow(), name });
      },
    });
    await sampling;
    stop.signal.throwIfAborted();
    say('no more faults; everything has to arrive');
    const signal = stop.signal;
    const account = await comeToRest(world, { signal, say, problems: crashesOf(world.processes) });
    return tell(account, made);
  } catch (error) {
    say(stop.signal.aborted ? 'stopped' : `failed: ${(error as Error).message}`);
    return 1;
  } finally {
    await world.stop();
    if (process.exitCode === 0) rmSync(folder, { recursive: true, force: true });
  }
}

async function keepSampling(world: Parameters<typeof takeSample>[0], until: AbortSignal): Promise<void> {
  const everyMs = Math.min(30_000, (hours * 3.6e6) / 60);
  while (!until.aborted) {
    samples.push(await takeSample(world, secondsNow()));
    await wait(everyMs, undefined, { signal: until }).catch(() => {});
  }
}

/** What ended by itself, without a fault of ours. */
function crashesOf(processes: Parameters<typeof comeToRest>[0]['processes']): string[] {
  return processes.flatMap((process) => {
    const { crashes } = process.state();
    return crashes === 0 ? [] : [`${process.name} ended by itself ${crashes} times`];
  });
}

function tell(account: Account, made: ReadonlyMap<string, number>): number {
  const growth = growthOf(samples);
  const grown = growth.filter(({ isTooMuch }) => isTooMuch);
  const ok = account.ok && grown.length === 0;
  const count = [...made.values()].reduce((sum, n) => sum + n, 0);
  const lasted = (samples.at(-1)?.seconds ?? 0) / 3600;
  const verdict = [
    `${lasted.toFixed(2)} hours, ${count} faults: ${ok ? 'passed' : 'FAILED'}.`,
    account.ok
      ? `Each of ${account.produced.toLocaleString('en-US')} readings is delivered, or lies in a void that nobody could fill.`
      : 'Readings are not accounted for: see the account.',
    grown.length === 0
      ? growth.some(({ limit }) => limit !== undefined)
        ? 'Nothing grew beyond its limit.'
        : 'Too short to tell whether anything grows: half an hour is the least.'
      : grown
          .map(({ what, before, after }) => `${what} grew from ${before.toFixed(1)} to ${after.toFixed(1)}.`)
          .join(' '),
  ];
  const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const text = [
    options.chaos ? '# Chaos' : '# Soak',
    '',
    ...verdict,
    '',
    `Repeat it with \`npm run ${kind} -- --hours ${hours} --seed ${options.seed}\`.`,
    '',
    '![memory, descriptors, spool and disk over time](chart.svg)',
    '',
    row(['what', 'second quarter', 'last quarter', 'an hour', 'limit an hour', '']),
    row(['-', '-', '-', '-', '-', '-']),
    ...growth.map(({ what, before, after, perHour, limit, isTooMuch }) =>
      row([
        what,
        before.toFixed(1),
        after.toFixed(1),
        perHour.toFixed(1),
        limit?.perHour ?? '',
        isTooMuch ? 'TOO MUCH' : '',
      ]),
    ),
    '',
    row(['fault', 'times']),
    row(['-', '-']),
    ...[...made].map(([name, times]) => row([name, times])),
    '',
    '```',
    ...tableLines(account, secondsNow()),
    '```',
    '',
  ].join('\n');
  writeFileSync(join(report, 'report.md'), text);
  writeFileSync(join(report, 'chart.svg'), drawChart(samples, faults));
  writeFileSync(
    join(report, 'samples.jsonl'),
    samples.map((sample) => `${JSON.stringify(sample)}\n`).join(''),
  );
  console.error(`\n${text}\nreport: ${report}`);
  if (options.json) {
    const { produced, delivered, missing, invented, changed, problems } = account;
    const readings = { produced, delivered, void: account.void, missing, invented, changed };
    console.log(JSON.stringify({ ok, hours: lasted, faults: count, ...readings, growth, problems }));
  }
  return ok ? 0 : 1;
}

function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError('must be a number above 0.');
  return number;
}
