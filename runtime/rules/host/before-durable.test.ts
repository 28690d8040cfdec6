// Rules that decide before a commit has what they decide on.
import { expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { MemoryStore } from '../../spool/engine/testing/memory-store.ts';
import { at, begin, end, observe, origin, rowsIn, rule, stored, windowsIn } from './testing/module-run.ts';

const settings = rule({ beforeDurable: true });

it('a rule that does not wait decides and acts before any commit, and its rows say so', async () => {
  const clock = new VirtualClock(origin);
  const run = await begin(new MemoryStore(), clock, [settings, rule({ name: 'patient' })]);
  observe(run.a, 0, 25, true);
  await clock.advance(5);
  expect(run.host.status()).toMatchObject([
    { name: 'hot', watermark: at(25), rows: 3 },
    { name: 'patient', rows: 0 },
  ]);
  expect(run.performed.map(({ time, beforeDurable }) => [time - origin, beforeDurable])).toEqual([
    [0, true],
    [10, true],
    [20, true],
  ]);
  expect(await stored(run)).toEqual([]);
  await clock.advance(1000);
  await end(run, clock);
  const batches = await stored(run);
  expect(windowsIn(batches)).toEqual([[0, 25]]);
  expect(rowsIn(batches)).toEqual([
    [0, 1, 'uncertain:input-missing'],
    [10, 10, 'uncertain:before-durable'],
    [20, 10, 'uncertain:before-durable'],
  ]);
  expect(rowsIn(await stored(run, 'patient')).map(([, , quality]) => quality)).toEqual([
    'uncertain:input-missing',
    'good',
    'good',
  ]);
});

it('it decides once, over breaks, late readings, windows that close and a restart', async () => {
  const clock = new VirtualClock(origin);
  const store = new MemoryStore();
  const first = await begin(store, clock, [settings]);
  observe(first.a, 0, 15, true);
  await clock.advance(12_000);
  observe(first.a, 15, 27);
  await clock.advance(300);
  first.a.emit({
    kind: 'readings',
    readings: [{ index: at(3), tag: 'v', value: 9, quality: 'good' }],
    isLate: true,
  });
  first.a.emit({ kind: 'broken', at: at(27), reason: 'gone' });
  observe(first.a, 40, 61, true);
  await clock.advance(1000);
  await end(first, clock);
  const second = await begin(store, clock, [settings]);
  observe(second.a, 80, 105, true);
  await clock.advance(1000);
  await end(second, clock);
  expect(rowsIn(await stored(second)).map(([index, n]) => [index, n])).toEqual([
    [0, 1],
    [10, 10],
    [20, 10],
    [40, 1],
    [50, 10],
    [60, 10],
    [80, 1],
    [90, 10],
    [100, 10],
  ]);
});
