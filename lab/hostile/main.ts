// The hostile run as a command: sets each adapter against equipment that misbehaves, with a judge that knows the ground
// truth. Exit code 1 where anything was claimed wrongly.
import { Command, InvalidArgumentError, Option } from 'commander';
import { positiveWhole } from '../plant/process-frame.ts';
import { type AdapterName, adapterNames, adapters } from './adapters.ts';
import { runEpisode } from './episode.ts';
import { addCounts, countFaults, faultKinds } from './judge/verdict.ts';
import { episodeExchanges, type RunResult, runAdapter, shorten } from './run.ts';

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('must be a whole number.');
  return value;
};

const options = new Command('hostile')
  .description('Sets each adapter against equipment that misbehaves, and judges what it claims.')
  .option('--exchanges <n>', 'requests, messages or services for each adapter', positiveWhole, 2000)
  .option('--seed <n>', 'the same seed runs the same', whole, 1)
  .addOption(new Option('--adapter <name>', 'only this one').choices(adapterNames))
  .option('--episode <seed>', 'only this episode, as a failure names it; with --adapter', whole)
  .option('--lines <n>', 'lines of history that a failure shows', whole, 60)
  .option('--json', 'one line of JSON', false)
  .parse()
  .opts<{
    exchanges: number;
    seed: number;
    adapter?: AdapterName;
    episode?: number;
    lines: number;
    json: boolean;
  }>();

/** Beside the JSON, not in it. */
const say = (line: string) => console.error(line);

async function showEpisode(adapter: AdapterName, seed: number): Promise<number> {
  const result = await runEpisode({ seed, make: adapters[adapter], exchanges: episodeExchanges });
  for (const line of result.lines(options.lines, result.faults[0]?.at)) console.log(line);
  console.log(`${adapter}, episode ${seed}: ${result.kind}; ${result.exchanges} exchanges`);
  for (const { kind, what } of result.faults) console.log(`${kind}: ${what}`);
  return result.faults.length > 0 ? 1 : 0;
}

/** The shortest of the episodes that failed, as short as it can be made. */
async function explain(adapter: AdapterName, { failed }: RunResult): Promise<void> {
  const [first] = failed.toSorted((a, b) => a.exchanges - b.exchanges);
  if (!first) return;
  const shown = await shorten(adapter, first.seed, episodeExchanges);
  say(
    `\n${adapter}: ${failed.length} episodes failed, as ${failed
      .slice(0, 8)
      .map(({ seed }) => seed)
      .join(', ')}`,
  );
  say(`episode ${shown.seed}, ended after ${shown.exchanges} exchanges: ${shown.kind}`);
  for (const line of shown.lines(options.lines, shown.faults[0]?.at)) say(line);
  for (const { kind, what } of shown.faults) say(`${kind}: ${what}`);
  say(`again: npm run hostile -- --adapter ${adapter} --episode ${shown.seed}`);
}

async function runAll(): Promise<number> {
  const { seed, exchanges, adapter: only } = options;
  const results: Partial<Record<AdapterName, object>> = {};
  let counts = countFaults([]);
  let total = { exchanges: 0, readings: 0 };
  for (const adapter of only ? [only] : adapterNames) {
    const result = await runAdapter({ adapter, seed, exchanges });
    counts = addCounts(counts, result.counts);
    total = { exchanges: total.exchanges + result.exchanges, readings: total.readings + result.readings };
    results[adapter] = { exchanges: result.exchanges, readings: result.readings, ...result.counts, seed };
    if (!options.json) say(row(adapter, result));
    await explain(adapter, result);
  }
  const ok = faultKinds.every((kind) => counts[kind] === 0);
  if (options.json) console.log(JSON.stringify({ ok, seed, ...total, ...counts, adapters: results }));
  else say(ok ? 'nothing was claimed that is not so' : 'NOT CLEAN');
  return ok ? 0 : 1;
}

function row(adapter: string, { exchanges, readings, counts, episodes }: RunResult): string {
  const found = faultKinds.map((kind) => `${kind} ${counts[kind]}`).join(', ');
  return `${adapter}: ${exchanges} exchanges in ${episodes} episodes, ${readings} readings; ${found}`;
}

const { adapter, episode } = options;
process.exitCode = adapter && episode !== undefined ? await showEpisode(adapter, episode) : await runAll();
