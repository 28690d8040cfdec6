// Equipment whose clock jumps ahead by an hour and is put right again: what it comes by twice is decided once, and what it comes by
// for the first time is decided, also where the process ends between.
import { expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { MemoryStore } from '../../spool/engine/testing/memory-store.ts';
import { compileRule } from '../compile-rule.ts';
import {
  at,
  begin,
  doublesIn,
  end,
  type ModuleRun,
  origin,
  outcomesIn,
  rowsIn,
  rule,
  told,
} from './testing/module-run.ts';

const hour = 3_600_000;
const query = 'SELECT COUNT(*) AS n INTO output FROM input GROUP BY HoppingWindow(second, 2, 1)';
const settings = rule({ query });
const openFree = ({ windows }: ModuleRun) =>
  windows.openStream({ batchId: 'a', index: 'time', pace: 'derived' });

async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let n = 0; n < ms; n += 10) await clock.advance(10);
}

/** A reading every 100 ms. */
function observe(sink: ModuleRun['a'], from: number, to: number): void {
  for (let index = Math.ceil(from / 100) * 100; index < to; index += 100)
    sink.emit({ kind: 'readings', readings: [{ index: at(index), tag: 'v', value: 1, quality: 'good' }] });
  sink.emit({ kind: 'observed', until: at(to) });
}

function jump(sink: ModuleRun['a'], from: number, to: number): void {
  sink.emit({ kind: 'broken', at: at(from), reason: 'clock-set' });
  sink.emit({ kind: 'resumed', at: at(to) });
}

it.each([
  ['in one process', false, 500],
  ['in one process, between two commits', false, 0],
  ['where the process is killed once it is put right', true, 500],
])('%s', async (_where, isKilled, betweenMs) => {
  const clock = new VirtualClock(origin);
  const store = new MemoryStore();
  let run = await begin(store, clock, [settings], undefined, compileRule);
  const sink = openFree(run);
  sink.emit({ kind: 'resumed', at: at(0) });
  observe(sink, 0, 6950);
  await pass(clock, 500);
  jump(sink, 6950, hour);
  observe(sink, hour, hour + 4050);
  await pass(clock, betweenMs);
  // Behind what may have been lived through when it jumped.
  jump(sink, hour + 4050, 9600);
  observe(sink, 9600, 14_050);
  await pass(clock, isKilled ? 500 : 230);
  if (isKilled) {
    run = await begin(store.restarted(), clock, [settings], undefined, compileRule);
    await pass(clock, 500);
  } else {
    observe(sink, 14_050, 17_050);
    await pass(clock, 500);
  }
  await end(run, clock);
  const all = await told(run);
  expect(doublesIn(all)).toEqual([]);
  const ids = outcomesIn(all).map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const rows = rowsIn([{ readings: all } as never]).map(
    ([index, n, quality]) => [Number(index) / 1000, n, quality] as const,
  );
  const good = rows.filter(([, , quality]) => quality === 'good');
  for (const each of good) expect(each).toEqual([each[0], 20, 'good']);
  const last = isKilled ? 14 : 17;
  const seconds = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
  const near = rows.map(([second]) => second).filter((second) => second < 1000);
  expect(near).toEqual([...seconds(0, 8), ...seconds(10, last)]);
  expect(good.map(([second]) => second).filter((second) => second < 1000)).toEqual([
    ...seconds(2, 6),
    ...seconds(12, last),
  ]);
  expect(rows.map(([second]) => second)).toEqual(
    expect.arrayContaining(seconds(hour / 1000, hour / 1000 + 4)),
  );
});
