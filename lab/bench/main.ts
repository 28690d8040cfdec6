// Measures what is claimed, beside its limit or its peers in the same run.
//
// A bench is one file beside this one, exporting `bench`; adding one is adding a line here.
import { tmpdir } from 'node:os';
import { Argument, Command } from 'commander';
import type { Bench } from './harness/bench.ts';
import { describeMachine } from './harness/machine.ts';
import { toJson, toText } from './harness/print.ts';

const benches: Readonly<Record<string, () => Promise<{ bench: Bench }>>> = {
  spool: () => import('./spool.ts'),
  peers: () => import('./peers.ts'),
  ledger: () => import('./ledger.ts'),
  sources: () => import('./sources.ts'),
  relay: () => import('./relay.ts'),
  drain: () => import('./drain.ts'),
  rules: () => import('./rules.ts'),
  footprint: () => import('./footprint.ts'),
};

const command = new Command('npm run bench --')
  .description('Measures what is claimed, beside its limit or its peers in the same run.')
  .addArgument(new Argument('<name>', 'the benchmark').choices(Object.keys(benches)))
  .showHelpAfterError()
  .option('--quick', 'a short run', false)
  .option('--folder <dir>', 'measures the disk under it', tmpdir())
  .option('--json', 'one line of JSON', false)
  .parse();
const values = command.opts<{ quick: boolean; folder: string; json: boolean }>();
const name = command.args[0]!;
const load = benches[name]!;
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

const { bench } = await load();
const startedAt = performance.now();
const machine = describeMachine();
const report = await bench.run({
  quick: values.quick,
  folder: values.folder,
  say: (text) =>
    console.error(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${text}`),
});
console.log(values.json ? toJson(name, values.quick, machine, report) : toText(name, machine, report));
process.exit(0);
