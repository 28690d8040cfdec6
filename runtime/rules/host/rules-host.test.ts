// Rules between windows and spool, on a virtual clock, over a store in memory.
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { Continuation } from '../../sources/continuation.ts';
import { MemoryStore } from '../../spool/engine/testing/memory-store.ts';
import { compileRule } from '../compile-rule.ts';
import {
  at,
  begin,
  end,
  observe,
  origin,
  readings,
  rowsIn,
  rule,
  sources,
  stored,
  windowsIn,
} from './testing/module-run.ts';

describe('rules over what commits make durable', () => {
  it('decide by observation, once a commit has it, and their rows are a stream that claims what its inputs do', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [rule()]);
    observe(run.a, 0, 25, true);
    expect(run.performed).toEqual([]);
    await clock.advance(210);
    expect(run.host.status()).toMatchObject([
      { name: 'hot', phase: 'running', watermark: at(25), rowsIn: 25, rows: 3 },
    ]);
    observe(run.a, 25, 41);
    await clock.advance(1000);
    await end(run, clock);
    const batches = await stored(run);
    expect(windowsIn(batches)).toEqual([[0, 41]]);
    // The first window reaches back to before anything was known.
    expect(rowsIn(batches)).toEqual([
      [0, 1, 'uncertain:input-missing'],
      [10, 10, 'good'],
      [20, 10, 'good'],
      [30, 10, 'good'],
      [40, 10, 'good'],
    ]);
    expect(run.performed.map(({ time, value }) => [time - origin, value])).toContainEqual([
      20,
      { n: 10, sum: 10 },
    ]);
    const outcomes = batches.flatMap((batch) => batch.readings.filter(({ tag }) => tag.startsWith('action')));
    expect(outcomes.every(({ value }) => (value as { outcome: string }).outcome === 'done')).toBe(true);
    expect(outcomes.length).toBeGreaterThanOrEqual(3);
    expect(run.host.status()).toMatchObject([{ actions: { done: run.performed.length } }]);
    expect(run.performed).toHaveLength(5);
    expect((await run.spool.rules.settings('rules.intent.', 10)).size).toBe(0);
  });

  it('leave a hole where their input has one, and mark what reaches into it', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [rule({ actOnLacking: false })]);
    observe(run.a, 0, 15, true);
    await clock.advance(300);
    run.a.emit({ kind: 'broken', at: at(15), reason: 'gone' });
    observe(run.a, 33, 51, true);
    await clock.advance(1000);
    await end(run, clock);
    const batches = await stored(run);
    expect(windowsIn(batches)).toEqual([
      [0, 15],
      [33, 51],
    ]);
    expect(rowsIn(batches)).toEqual([
      [0, 1, 'uncertain:input-missing'],
      [10, 10, 'good'],
      [40, 8, 'uncertain:input-missing'],
      [50, 10, 'good'],
    ]);
    expect(run.performed.map(({ time }) => time - origin)).toEqual([10, 50]);
  });

  it('wait for the slowest of several sources, and for a broken one no longer than they may', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [
      rule({ inputs: { x: { source: 'a' }, y: { source: 'b' } } }),
    ]);
    observe(run.a, 0, 41, true);
    observe(run.b, 0, 21, true);
    await clock.advance(300);
    expect(run.host.status()).toMatchObject([{ watermark: at(21) }]);
    await clock.advance(600);
    expect(run.host.status()).toMatchObject([{ watermark: at(41), lacking: ['y'] }]);
    await end(run, clock);
    expect(rowsIn(await stored(run))).toEqual([
      [0, 2, 'uncertain:input-missing'],
      [10, 20, 'good'],
      [20, 20, 'good'],
      [30, 10, 'uncertain:input-missing'],
      [40, 10, 'uncertain:input-missing'],
    ]);
    const lacking = (await stored(run)).flatMap((batch) =>
      batch.readings.filter(({ tag }) => tag === 'lacking'),
    );
    expect(lacking.map(({ index, value }) => [index, value])).toEqual([
      [0, ['x', 'y']],
      [30, ['y']],
      [40, ['y']],
    ]);
  });

  it('name the input of each hole that they reach back over, also where that is known again', async () => {
    const clock = new VirtualClock(origin);
    const query = `WITH both AS (SELECT v FROM x UNION SELECT v FROM y)
      SELECT COUNT(*) AS n INTO output FROM both GROUP BY HoppingWindow(millisecond, 40, 10)`;
    const settings = rule({ query, inputs: { x: { source: 'a' }, y: { source: 'b' } } });
    const run = await begin(new MemoryStore(), clock, [settings], undefined, compileRule);
    observe(run.a, 0, 120, true);
    observe(run.b, 0, 45, true);
    run.b.emit({ kind: 'broken', at: at(45), reason: 'gone' });
    observe(run.b, 48, 120, true);
    await clock.advance(1000);
    await end(run, clock);
    const told = (await stored(run)).flatMap((batch) => batch.readings);
    const lacking = told.flatMap(({ index, tag, value }) => (tag === 'lacking' ? [[index, value]] : []));
    expect(lacking).toEqual([
      ...[0, 10, 20, 30].map((index) => [index, ['x', 'y']]),
      ...[50, 60, 70, 80].map((index) => [index, ['y']]),
    ]);
  });

  it('that look back to before a hole say that they do not know all, and no longer than they do look back', async () => {
    const clock = new VirtualClock(origin);
    const query = 'SELECT v, LAG(v) OVER (LIMIT DURATION(minute, 1)) AS n INTO output FROM input';
    const settings = rule({ query, outputs: ['upstream'] });
    const life = await begin(new MemoryStore(), clock, [settings], undefined, compileRule);
    observe(life.a, 0, 3, true);
    await clock.advance(300);
    life.a.emit({ kind: 'broken', at: at(3), reason: 'gone' });
    observe(life.a, 33, 36, true);
    await clock.advance(1000);
    await end(life, clock);
    expect(rowsIn(await stored(life)).map(([index, , quality]) => [index, quality])).toEqual([
      [0, 'uncertain:input-missing'],
      [1, 'good'],
      [2, 'good'],
      [33, 'uncertain:input-missing'],
      [34, 'good'],
      [35, 'good'],
    ]);
  });

  it('never see late readings', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [rule()]);
    observe(run.a, 0, 15, true);
    run.a.emit({ kind: 'readings', readings: readings(3, 6), isLate: true });
    await clock.advance(300);
    run.a.emit({ kind: 'readings', readings: readings(3, 6), isLate: true });
    observe(run.a, 15, 31);
    await clock.advance(1000);
    await end(run, clock);
    expect(rowsIn(await stored(run)).map(([index, n]) => [index, n])).toEqual([
      [0, 1],
      [10, 10],
      [20, 10],
      [30, 10],
    ]);
  });

  it('never see what the equipment had to be asked for afterwards: also after a crash it is a hole', async () => {
    const clock = new VirtualClock(origin);
    const store = new MemoryStore();
    const query = 'SELECT COUNT(*) AS n INTO output FROM input GROUP BY HoppingWindow(millisecond, 40, 10)';
    const settings = rule({ query, actOnLacking: false });
    const first = await begin(store, clock, [settings], undefined, compileRule);
    observe(first.a, 0, 15, true);
    await clock.advance(300);
    first.a.emit({ kind: 'broken', at: at(15), reason: 'gone' });
    observe(first.a, 33, 38, true);
    await clock.advance(1000);
    const range = { start: at(15), end: at(33) };
    const batch = { batchId: 'a', index: 'time', window: range, readings: readings(15, 33) } as const;
    const job = { requestId: 'r', batchId: 'a', index: 'time', range, state: 'done', voids: [] } as const;
    await first.spool.save({ ...job, covered: [range], createdAt: 0, updatedAt: 0 }, { batches: [batch] });
    const second = await begin(store.restarted(), clock, [settings], undefined, compileRule);
    second.a.emit({ kind: 'resumed', at: at(38), continues: Continuation.sameNumber(1, 1) });
    observe(second.a, 38, 92);
    await clock.advance(1000);
    await end(second, clock);
    expect(rowsIn(await stored(second)).map(([index, n, quality]) => [index, n, quality])).toEqual([
      [0, 1, 'uncertain:input-missing'],
      [10, 11, 'uncertain:input-missing'],
      [40, 22, 'uncertain:input-missing'],
      [50, 22, 'uncertain:input-missing'],
      [60, 28, 'uncertain:input-missing'],
      [70, 38, 'uncertain:input-missing'],
      [80, 40, 'good'],
      [90, 40, 'good'],
    ]);
    expect(second.performed.map(({ time }) => time - origin)).toEqual([80, 90]);
  });

  it('that decide too often for long are taken out for a while; those that do so at times are not', async () => {
    const clock = new VirtualClock(origin);
    const query = 'SELECT v, COUNT(*) AS n FROM input GROUP BY v, HoppingWindow(millisecond, 900, 1)';
    const settings = { query, outputs: { output: [] } };
    const run = await begin(new MemoryStore(), clock, [rule(settings)], undefined, compileRule);
    run.a.emit({ kind: 'resumed', at: at(0) });
    const halts: unknown[] = [];
    // Each of these values is in 900 rows.
    for (let second = 0; second < 8; second++) {
      const values = second < 3 ? 1 : 5;
      for (let v = 0; v < values; v++) {
        const index = at(1000 * second + v + 1);
        run.a.emit({ kind: 'readings', readings: [{ index, tag: 'v', value: v, quality: 'good' }] });
      }
      run.a.emit({ kind: 'observed', until: at(1000 * (second + 1)) });
      await clock.advance(1000);
      halts.push((run.host.status()[0] as { halts: number }).halts);
    }
    expect(halts.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(halts.at(-1)).toBe(1);
    expect(run.host.status()).toMatchObject([{ problem: expect.stringMatching(/it decides too often$/) }]);
    await end(run, clock);
  });

  it('that throw harm no other rule and no source, and begin again after a while', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [rule({ name: 'bad', query: 'FAIL' }), rule()]);
    observe(run.a, 0, 25, true);
    await clock.advance(300);
    expect(run.host.status()).toMatchObject([
      { name: 'bad', phase: 'halted', problem: 'it fails', halts: 1 },
      { name: 'hot', phase: 'running', watermark: at(25) },
    ]);
    await clock.advance(2000);
    observe(run.a, 25, 45);
    await clock.advance(1000);
    expect(run.host.status()).toMatchObject([{ halts: 2 }, { watermark: at(45) }]);
    // After an hour without, it is a second again, and not twice as long as the last time.
    await clock.advance(3_700_000);
    observe(run.a, 45, 48);
    await clock.advance(1300);
    observe(run.a, 48, 49);
    await clock.advance(300);
    expect(run.host.status()).toMatchObject([{ halts: 4 }, { watermark: at(49) }]);
    await end(run, clock);
    expect(rowsIn(await stored(run))).toHaveLength(5);
  });

  it('go on untouched over a reload that does not change them', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [rule(), rule({ name: 'other' })]);
    observe(run.a, 0, 15, true);
    await clock.advance(300);
    await run.host.change([rule(), rule({ name: 'other', dryRun: true }), rule({ name: 'new' })], sources);
    observe(run.a, 15, 31);
    await clock.advance(1000);
    await end(run, clock);
    expect(windowsIn(await stored(run))).toEqual([[0, 31]]);
    expect(rowsIn(await stored(run, 'other')).length).toBeGreaterThan(1);
    expect(windowsIn(await stored(run, 'new'))).toEqual([[15, 31]]);
  });

  it('keep what they want done until it has an outcome, over a restart, and no longer than it is valid', async () => {
    const clock = new VirtualClock(origin);
    const store = new MemoryStore();
    const away = async () => {
      throw new HoldfastError('uplink-not-connected', 'away', { retryable: true });
    };
    const first = await begin(store, clock, [rule({ validForMs: 5000 })], away);
    observe(first.a, 0, 25, true);
    await clock.advance(1000);
    await end(first, clock);
    expect((await first.spool.rules.settings('rules.intent.', 10)).size).toBe(3);
    const second = await begin(store, clock, [rule({ validForMs: 5000 })]);
    await clock.advance(1000);
    expect(second.performed.map(({ time }) => time - origin)).toEqual([0, 10, 20]);
    await end(second, clock);
    expect((await second.spool.rules.settings('rules.intent.', 10)).size).toBe(0);
  });

  it('carry out what is for one target in the order in which it was decided, also after a restart', async () => {
    const clock = new VirtualClock(origin);
    const store = new MemoryStore();
    const away = async () => {
      throw new HoldfastError('uplink-not-connected', 'away', { retryable: true });
    };
    const query = 'SELECT v AS key INTO output FROM input GROUP BY v, TumblingWindow(millisecond, 10)';
    const settings = rule({ query, validForMs: 5000 });
    const first = await begin(store, clock, [settings], away, compileRule);
    first.a.emit({ kind: 'resumed', at: at(0) });
    for (let n = 1; n < 10; n++)
      first.a.emit({ kind: 'readings', readings: readings(n, n + 1, (n * 7) % 10) });
    first.a.emit({ kind: 'observed', until: at(15) });
    await clock.advance(1000);
    await end(first, clock);
    const second = await begin(store, clock, [settings], undefined, compileRule);
    await clock.advance(2000);
    expect(second.performed.map(({ value }) => (value as { key: number }).key)).toEqual([
      7, 4, 1, 8, 5, 2, 9, 6, 3,
    ]);
    await end(second, clock);
  });

  it('decide as their query says, and send its row', async () => {
    const clock = new VirtualClock(origin);
    const query = `SELECT 'reset' AS command, Max(timeCreated) AS maxEventTime INTO output
      FROM input TIMESTAMP BY timeCreated GROUP BY TumblingWindow(second, 10) HAVING Avg(machine.temperature) > 30`;
    const settings = rule({ query, inputs: { input: { source: 'a', time: 'timeCreated' } } });
    const run = await begin(new MemoryStore(), clock, [settings], undefined, compileRule);
    run.a.emit({ kind: 'resumed', at: at(0) });
    for (let second = 1; second <= 30; second++) {
      const value = second > 20 ? 29 : 31;
      const index = at(second * 1000);
      run.a.emit({
        kind: 'readings',
        readings: [{ index, tag: 'machine.temperature', value, quality: 'good' }],
      });
      run.a.emit({ kind: 'observed', until: index + 1 });
      await clock.advance(1000);
    }
    await end(run, clock);
    const batches = await stored(run);
    const rows = batches.flatMap((batch) => batch.readings.filter(({ tag }) => !tag.startsWith('action')));
    expect(rows.map(({ index, tag, value }) => [index, tag, String(value).slice(0, 19)])).toEqual([
      [10_000, 'command', 'reset'],
      [10_000, 'maxEventTime', '2026-11-21T00:00:10'],
      [20_000, 'command', 'reset'],
      [20_000, 'maxEventTime', '2026-11-21T00:00:20'],
    ]);
    expect(run.performed.map(({ target, time }) => [target, time - origin])).toEqual([
      [{ kind: 'send', output: 'control' }, 10_000],
      [{ kind: 'send', output: 'control' }, 20_000],
    ]);
  });
});
