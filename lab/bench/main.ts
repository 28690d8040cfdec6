// Measures what is claimed, beside its limit or its peers in the same run.
//
//   npm run bench -- NAME [--json] [--quick] [--folder DIR]
//
// A bench is one file beside this one, exporting `bench`; adding one is adding a line here.
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
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

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    folder: { type: 'string', default: tmpdir() },
  },
});
const name = positionals[0] ?? '';
const load = benches[name];
if (load === undefined || positionals.length !== 1) {
  console.error(
    `usage: npm run bench -- ${Object.keys(benches).join('|')} [--json] [--quick] [--folder DIR]`,
  );
  process.exit(2);
}
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
