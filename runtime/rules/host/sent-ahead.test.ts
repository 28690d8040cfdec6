// Readings that are sent before anything proves that observation went on, and whose positions a later window claims without holding
// them again: a rule must see them, or what it calls whole is not.
import { expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { Continuation } from '../../sources/continuation.ts';
import { MemoryStore } from '../../spool/engine/testing/memory-store.ts';
import {
  at,
  begin,
  end,
  type ModuleRun,
  observe,
  origin,
  readings,
  rowsIn,
  rule,
  sources,
  stored,
} from './testing/module-run.ts';

/** Of a sender whose readings come in any order. */
const openLoose = ({ windows }: ModuleRun) =>
  windows.openStream({ batchId: 'a', index: 'time', pace: 'own', isUnordered: true });

/** Observed to 12, shown to 18, broken there; then it is proven that it went on. */
function breakOff(run: ModuleRun): void {
  const sink = openLoose(run);
  observe(sink, 0, 12, true);
  sink.emit({ kind: 'readings', readings: readings(12, 18) });
  sink.emit({ kind: 'broken', at: at(12), reason: 'gone' });
}
function goOn(run: ModuleRun): void {
  const sink = openLoose(run);
  sink.emit({ kind: 'resumed', at: at(12), continues: Continuation.sameNumber(1, 1) });
  sink.emit({ kind: 'readings', readings: readings(18, 31) });
  sink.emit({ kind: 'observed', until: at(31) });
}
const whole = [
  [0, 1],
  [10, 10],
  [20, 10],
  [30, 10],
];

it.each([false, true])('in one process; before durable: %s', async (beforeDurable) => {
  const clock = new VirtualClock(origin);
  const run = await begin(new MemoryStore(), clock, [rule({ beforeDurable })]);
  breakOff(run);
  await clock.advance(500);
  goOn(run);
  await clock.advance(1000);
  await end(run, clock);
  expect(rowsIn(await stored(run)).map(([index, n]) => [index, n])).toEqual(whole);
});

it.each([false, true])('where the process ends between; before durable: %s', async (beforeDurable) => {
  const clock = new VirtualClock(origin);
  const store = new MemoryStore();
  const first = await begin(store, clock, [rule({ beforeDurable })]);
  breakOff(first);
  await clock.advance(500);
  await end(first, clock);
  const second = await begin(store, clock, [rule({ beforeDurable })]);
  goOn(second);
  await clock.advance(1000);
  await end(second, clock);
  const third = await begin(store, clock, [rule({ beforeDurable })]);
  observe(third.a, 40, 42, true);
  await clock.advance(1000);
  await end(third, clock);
  expect(
    rowsIn(await stored(third))
      .slice(0, 4)
      .map(([index, n]) => [index, n]),
  ).toEqual(whole);
});

it('a rule that a reload adds begins with a window that it knows in whole', async () => {
  const clock = new VirtualClock(origin);
  const run = await begin(new MemoryStore(), clock, []);
  observe(run.a, 0, 15, true);
  await clock.advance(500);
  const added = [rule(), rule({ name: 'early', beforeDurable: true })];
  const changed = run.host.change(added, sources);
  await clock.advance(10);
  await changed;
  observe(run.a, 15, 22);
  await clock.advance(500);
  run.a.emit({ kind: 'broken', at: at(22), reason: 'gone' });
  observe(run.a, 30, 51, true);
  await clock.advance(1000);
  await end(run, clock);
  for (const name of ['hot', 'early']) {
    const rows = rowsIn(await stored(run, name));
    for (const [index, n, quality] of rows)
      if (quality !== 'uncertain:input-missing') expect([index, n]).toEqual([index, 10]);
    expect(rows.map(([index]) => index)).toEqual(expect.arrayContaining([40, 50]));
  }
});
