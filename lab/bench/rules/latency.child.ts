// From a reading to the action that follows from it, on a real disk: windows, spool, rules and executor as the module puts them
// together. The action is carried out at once, so that only our own way is measured.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { systemRandom } from '../../../kernel/random.ts';
import { createExecutor } from '../../../runtime/rules/actions/executor.ts';
import { compileRule } from '../../../runtime/rules/compile-rule.ts';
import { CommitTap } from '../../../runtime/rules/host/commit-tap.ts';
import { createRulesHost } from '../../../runtime/rules/host/rules-host.ts';
import { ruleSchema } from '../../../runtime/rules/rule-settings.ts';
import { openSpool } from '../../../runtime/spool/spool.ts';
import { createWindows } from '../../../runtime/windows/windows.ts';
import { childSettings, mark } from '../harness/child.ts';

export interface LatencySettings {
  readonly beforeDurable: boolean;
  readonly readings: number;
  readonly everyMs: number;
  readonly commitIntervalMs: number;
}

const { beforeDurable, readings, everyMs, commitIntervalMs } = childSettings<LatencySettings>();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-latency-'));
const clock = systemClock;
const shared = { clock, log: silentLog, metrics: noMetrics };
const spool = await openSpool({ ...shared, folder });
const tap = new CommitTap(silentLog);
const limits = { commitIntervalMs };
const windows = tap.watched(createWindows({ ...shared, store: tap.over(spool), limits }));
const moment = () => ({ boot: 'bench', sinceStartMs: clock.monotonic(), wall: clock.now(), isTrusted: true });
/** By the number of the reading, monotonic ms. */
const emitted: number[] = [];
const took: number[] = [];
const host = createRulesHost({
  ...{ ...shared, store: spool.rules, tap, moment },
  openStream(batchId) {
    const sink = windows.openStream({ batchId, index: 'time', pace: 'derived', isUnordered: true });
    return { sink, floor: windows.known(batchId)?.floor };
  },
  closeStream: (batchId) => windows.closeStream(batchId),
  loadCompiler: async () => compileRule,
  executor: (onOutcome) =>
    createExecutor({
      ...{ ...shared, moment, random: systemRandom, onOutcome },
      performer: {
        async perform({ value }, { onSend }) {
          onSend();
          took.push(clock.monotonic() - emitted[(value as { n: number }).n]!);
        },
      },
    }),
});
const rule = ruleSchema.parse({
  name: 'bench',
  inputs: { input: { source: 'a' } },
  query: 'SELECT n INTO output FROM input WHERE n >= 0',
  outputs: ['upstream', { send: 'control' }],
  perMinute: 6000,
  beforeDurable,
});
await host.start([rule], { ids: new Map([['a', 'a']]), paces: new Map() });
host.release();
const sink = windows.openStream({ batchId: 'a', index: 'time', pace: 'own' });
sink.emit({ kind: 'resumed', at: clock.now() });
for (let n = 0; n < readings; n++) {
  // Apart from the beat of the commits.
  await new Promise((resolve) => setTimeout(resolve, everyMs * (0.5 + systemRandom.next())));
  const index = clock.now();
  emitted[n] = clock.monotonic();
  sink.emit({ kind: 'readings', readings: [{ index, tag: 'n', value: n, quality: 'good' }] });
  sink.emit({ kind: 'observed', until: index + 1 });
}
await new Promise((resolve) => setTimeout(resolve, 5 * commitIntervalMs));
await host.stop();
await windows.closeAll();
await spool.close();
rmSync(folder, { recursive: true, force: true });
took.sort((a, b) => a - b);
const at = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
mark('end', { actions: took.length, p50: at(0.5), p99: at(0.99) });
