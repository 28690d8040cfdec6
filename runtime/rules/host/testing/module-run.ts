// Runs a module with rules over a store in memory: windows, spool, host and executor on a virtual clock.
import { silentLog } from '../../../../kernel/log.ts';
import { noMetrics } from '../../../../kernel/metrics.ts';
import { seededRandom } from '../../../../kernel/random.ts';
import type { VirtualClock } from '../../../../kernel/testing/virtual-clock.ts';
import { decodeBody } from '../../../../wire/body.ts';
import type { MiniBatch, WireMessage } from '../../../../wire/mini-batch.ts';
import type { Reading } from '../../../../wire/reading.ts';
import type { MemoryStore } from '../../../spool/engine/testing/memory-store.ts';
import { openTestSpool } from '../../../spool/testing/open-test-spool.ts';
import { laneNames } from '../../../uplink/lanes.ts';
import { createWindows } from '../../../windows/windows.ts';
import { createExecutor } from '../../actions/executor.ts';
import type { Intent } from '../../actions/intent.ts';
import { type RuleSettings, ruleSchema } from '../../rule-settings.ts';
import { CommitTap } from '../commit-tap.ts';
import { createRulesHost } from '../rules-host.ts';
import type { CompileRule, RuleSources } from '../rules-host-api.ts';
import { compileTiny } from './tiny-rule.ts';

export const origin = Date.UTC(2026, 10, 21);
export const sources: RuleSources = {
  ids: new Map([
    ['a', 'a'],
    ['b', 'b'],
  ]),
  paces: new Map(),
};
export const rule = (more: object = {}): RuleSettings =>
  ruleSchema.parse({
    name: 'hot',
    query: 'COUNT',
    inputs: { input: { source: 'a' } },
    outputs: ['upstream', { send: 'control' }],
    waitMs: 500,
    actOnLacking: true,
    ...more,
  });

/** Starts a module over a store; `end` stops it. */
export async function begin(
  store: MemoryStore,
  clock: VirtualClock,
  rules: readonly RuleSettings[],
  perform = async () => {},
  compile: CompileRule = compileTiny,
  of: RuleSources = sources,
) {
  const { spool } = await openTestSpool(store, { clock });
  const tap = new CommitTap(silentLog);
  const windows = tap.watched(
    createWindows({ store: tap.over(spool), clock, log: silentLog, metrics: noMetrics }),
  );
  const performed: Intent[] = [];
  const moment = () => ({ boot: 'x', sinceStartMs: clock.monotonic(), wall: clock.now(), isTrusted: true });
  const host = createRulesHost({
    ...{ store: spool.rules, tap, clock, moment, log: silentLog, metrics: noMetrics },
    openStream: (batchId) => {
      const sink = windows.openStream({ batchId, index: 'time', pace: 'derived', isUnordered: true });
      return { sink, floor: windows.known(batchId)?.floor };
    },
    closeStream: (batchId) => windows.closeStream(batchId),
    loadCompiler: async () => compile,
    executor: (onOutcome) =>
      createExecutor({
        ...{ clock, moment, random: seededRandom(1), log: silentLog, metrics: noMetrics, onOutcome },
        performer: {
          async perform(intent, { onSend }) {
            onSend();
            await perform();
            performed.push(intent);
          },
        },
      }),
  });
  await host.start(rules, of);
  host.release();
  const sink = (batchId: string) => windows.openStream({ batchId, index: 'time', pace: 'own' });
  return { spool, tap, windows, host, performed, a: sink('a'), b: sink('b') };
}
export type ModuleRun = Awaited<ReturnType<typeof begin>>;

export const at = (ms: number) => origin + ms;
export const readings = (from: number, to: number, v = 1): Reading[] =>
  Array.from({ length: to - from }, (_, n) => ({ index: at(from + n), tag: 'v', value: v, quality: 'good' }));

/** Observes `[from, to)` with a reading at each ms. */
export function observe(sink: ModuleRun['a'], from: number, to: number, isFirst = false): void {
  if (isFirst) sink.emit({ kind: 'resumed', at: at(from) });
  sink.emit({ kind: 'readings', readings: readings(from, to) });
  sink.emit({ kind: 'observed', until: at(to) });
}

export async function stored({ spool }: ModuleRun, name = 'hot'): Promise<readonly MiniBatch[]> {
  const range = { start: 0, end: Number.MAX_SAFE_INTEGER };
  const found = await spool.rules.batches(`rule:${name}`, range, 1000);
  return found.map(({ window, readings, ...batch }) => ({
    ...batch,
    window: { start: window.start - origin, end: window.end - origin },
    readings: readings.map((each) => ({ ...each, index: each.index - origin })),
  }));
}
export const rowsIn = (batches: readonly MiniBatch[]) =>
  batches.flatMap((batch) =>
    batch.readings.flatMap(({ index, tag, value, quality }) =>
      tag === 'n' ? [[index, value, quality]] : [],
    ),
  );
export const windowsIn = (batches: readonly MiniBatch[]) =>
  batches.map(({ window }) => [window.start, window.end]);

export async function end(run: ModuleRun, clock: VirtualClock) {
  const stopped = run.host.stop();
  await clock.advance(10);
  await stopped;
  const closed = run.windows.closeAll();
  await clock.advance(500);
  await closed;
}

const taken = new WeakMap<ModuleRun['spool'], WireMessage[]>();

/** All readings of the rule's stream, late ones too, in order: nothing is acknowledged here, so all are in the lanes. */
export async function told({ spool }: ModuleRun, name = 'hot'): Promise<readonly Reading[]> {
  const messages = taken.get(spool) ?? [];
  taken.set(spool, messages);
  for (const lane of laneNames)
    for (const { message } of await spool.take(lane, { messages: 100_000, bytes: 1e9 }))
      messages.push(message);
  const readings = messages.flatMap(({ properties, contentEncoding, body }) =>
    properties.batchId !== `rule:${name}` || body.byteLength === 0
      ? []
      : decodeBody(body, { schema: properties.schema ?? '', contentEncoding, index: 'time' }),
  );
  return readings.map((each) => ({ ...each, index: each.index - origin })).sort((a, b) => a.index - b.index);
}

export interface ToldOutcome {
  readonly id: string;
  readonly outcome: string;
  readonly code?: string;
  readonly time: number;
}
export const outcomesIn = (readings: readonly Reading[]) =>
  readings.flatMap(({ tag, value }) => (tag.startsWith('action#') ? [value as unknown as ToldOutcome] : []));
/** Places that hold two values: index and tag of each. */
export function doublesIn(readings: readonly Reading[]): readonly string[] {
  const places = readings.map(({ index, tag }) => `${index} ${tag}`);
  return places.filter((place, n) => places.indexOf(place) !== n);
}
