// Writes the spool that `format.test.ts` keeps of each format version: run once when a version is released.
//   node runtime/spool/testing/write-format.ts runtime/spool/testing/formats/1
// It holds something in every key space but `d`, in the index and both logs.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { openSpool } from '../spool.ts';
import { all, change, closed, readingsIn, window } from './open-test-spool.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('name the folder to write to');
rmSync(folder, { recursive: true, force: true });

const open = () =>
  openSpool({ folder, clock: systemClock, log: silentLog, metrics: noMetrics, freeBytes: async () => 0 });

const first = await open();
await first.commitWindows([
  change(
    'press',
    [0, 10, 20, 30].map((n) => closed('press', window(n, n + 10))),
  ),
]);
const taken = await first.take('live', all);
await first.acknowledge(taken.slice(0, 2));
await first.reject(taken[2]!, 'refused for the record');
await first.putSetting('config', { version: 1 });
await first.close();

const second = await open();
const range = window(0, 100);
const job = { requestId: 'r1', batchId: 'press', index: 'sequence', range, state: 'running' } as const;
const [archived] = await second.find('press', window(0, 10), 1);
await second.save(
  { ...job, covered: [window(0, 10)], voids: [], createdAt: 1, updatedAt: 2 },
  {
    requeue: [archived!.id],
    voids: [{ batchId: 'press', index: 'sequence', window: window(90, 100), reason: 'no-history' }],
  },
);
const journal = { start: 50, end: 60, readings: readingsIn(window(50, 60)) };
await second.commitWindows([
  { batchId: 'boiler', index: 'sequence', closed: [], restart: false, append: journal },
  change('press', [closed('press', window(7, 8), { late: true })]),
]);
await second.close();
// Not part of the format.
for (const name of [
  'lock',
  'ballast',
  'reserve',
  'high-water.json',
  'store/LOCK',
  'store/LOG',
  'store/LOG.old',
]) {
  rmSync(join(folder, name), { recursive: true, force: true });
}
