// The outage matrix as a command. By default each outage lasts 1 s, 10 s, 1 min and 10 min, one gateway for
// each kind of outage, several gateways at once: about 45 minutes, nearly all of it waiting. Needs root.
import { Command, InvalidArgumentError } from 'commander';
import { runInSite, type SiteRun, stopRuns } from './in-site.ts';
import { isOutageName, type OutageName, outages } from './outages.ts';
import { isClean } from './run.ts';
import { removeStaleSites, whyNoNamespaces } from './site.ts';
import { tableHead, tableRows } from './table.ts';

const names = Object.keys(outages) as OutageName[];
const options = new Command('outages')
  .description('Runs the module through outages between two network namespaces.')
  .option('--only <names>', `comma-separated: ${names.join(', ')}`, nameList, names)
  .option(
    '--seconds <list>',
    'how long each outage lasts, one after the other',
    secondsList,
    [1, 10, 60, 600],
  )
  .option('--parallel <n>', 'gateways at once', (text) => secondsList(text)[0]!, 6)
  .option('--json', 'one line of JSON for each kind of outage', false)
  .parse()
  .opts<{ only: OutageName[]; seconds: number[]; parallel: number; json: boolean }>();

function nameList(text: string): OutageName[] {
  const list = text.split(',');
  const unknown = list.filter((name) => !isOutageName(name));
  if (unknown.length > 0) throw new InvalidArgumentError(`Unknown: ${unknown.join(', ')}.`);
  return list as OutageName[];
}

function secondsList(text: string): number[] {
  const list = text.split(',').map(Number);
  if (list.some((value) => !Number.isInteger(value) || value < 1 || value > 86_400))
    throw new InvalidArgumentError('must be whole numbers of 1 or more.');
  return list;
}

const reason = await whyNoNamespaces();
if (reason !== undefined) {
  console.error(reason);
  process.exit(2);
}
await removeStaleSites();
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopping = true;
    stopRuns();
  });
}

const waiting = [...options.only];
let failed = 0;
if (!options.json) console.log(tableHead);

async function work(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined && !stopping; name = waiting.shift()) {
    try {
      const run = await runInSite({
        rounds: options.seconds.map((seconds) => ({ outage: name!, durationMs: seconds * 1000 })),
        sendTimeoutMs: 30_000,
        warmUpMs: 20_000,
        recoverMs: 60_000,
      });
      show(run);
      if (!isClean(run)) failed += 1;
    } catch (error) {
      failed += 1;
      console.error(`${name}: ${(error as Error).message}`);
    }
  }
}

function show(run: SiteRun): void {
  if (options.json) console.log(JSON.stringify(run));
  else for (const row of tableRows(run)) console.log(row);
}

await Promise.all(Array.from({ length: options.parallel }, work));
process.exit(failed > 0 || stopping ? 1 : 0);
