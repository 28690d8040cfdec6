// Rules that are changed, taken out and put back, with actions on their way; and the names of what they tell.
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { Continuation } from '../../sources/continuation.ts';
import { MemoryStore } from '../../spool/engine/testing/memory-store.ts';
import { compileRule } from '../compile-rule.ts';
import {
  at,
  begin,
  doublesIn,
  end,
  observe,
  origin,
  outcomesIn,
  readings,
  rowsIn,
  rule,
  sources,
  stored,
  told,
  windowsIn,
} from './testing/module-run.ts';

/** Sends, and hears nothing. */
const away = async () => {
  throw new HoldfastError('uplink-not-connected', 'away', { retryable: true });
};
/** In small steps: what the disk does takes turns of the loop, and no time. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let n = 0; n < ms; n += 10) await clock.advance(10);
}
const kindsOf = (readings: Parameters<typeof outcomesIn>[0]) =>
  outcomesIn(readings)
    .sort((a, b) => a.time - b.time)
    .map(({ time, outcome, code }) => [time - origin, outcome, ...(code ? [code] : [])]);

it('a rule that is put back amid a window claims no moment whose window it has not seen whole', async () => {
  const clock = new VirtualClock(origin);
  const store = new MemoryStore();
  const query = 'SELECT COUNT(*) AS n INTO output FROM input GROUP BY TumblingWindow(millisecond, 10)';
  const settings = rule({ query, actOnLacking: false });
  const first = await begin(store, clock, [settings], undefined, compileRule);
  observe(first.a, 0, 15, true);
  await pass(clock, 1000);
  await end(first, clock);
  // As with a configuration that cannot be used, until the twin is there.
  const second = await begin(store.restarted(), clock, [], undefined, compileRule);
  await second.host.change([settings], sources);
  second.a.emit({ kind: 'resumed', at: at(15), continues: Continuation.sameNumber(1, 1) });
  // All that the window of 20 holds came before.
  second.a.emit({ kind: 'readings', readings: readings(21, 45) });
  second.a.emit({ kind: 'observed', until: at(45) });
  await clock.advance(30_000);
  await end(second, clock);
  const batches = await stored(second);
  const rows = new Set(rowsIn(batches).map(([index]) => index));
  const claimed = [10, 20, 30, 40].filter((moment) =>
    windowsIn(batches).some(([start, until]) => start! <= moment && moment < until!),
  );
  expect(claimed).toEqual([10, 40]);
  expect(claimed.filter((moment) => !rows.has(moment))).toEqual([]);
});

describe('what rules tell of their actions', () => {
  it('has a name of its own at each place, also where an outage ends over several processes', async () => {
    const clock = new VirtualClock(origin);
    const store = new MemoryStore();
    const settings = rule({ validForMs: 3000 });
    const first = await begin(store, clock, [settings], away);
    observe(first.a, 0, 45, true);
    await pass(clock, 1000);
    // Killed: nothing ends in order.
    const second = await begin(store.restarted(), clock, [settings], away);
    await pass(clock, 1500);
    const third = await begin(store.restarted(), clock, [settings]);
    await pass(clock, 100);
    third.a.emit({ kind: 'resumed', at: at(45), continues: Continuation.sameNumber(1, 1) });
    observe(third.a, 45, 75);
    await pass(clock, 4000);
    await end(third, clock);
    const all = await told(third);
    expect(doublesIn(all)).toEqual([]);
    const ids = outcomesIn(all).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(rowsIn([{ readings: all } as never]).length);
    expect(second.performed).toEqual([]);
  });

  it('keeps rows of one moment apart where an outcome is told between them, in a hole', async () => {
    const clock = new VirtualClock(origin);
    const query =
      'SELECT v, COUNT(*) AS n INTO output FROM input GROUP BY v, HoppingWindow(millisecond, 20, 10)';
    const run = await begin(
      new MemoryStore(),
      clock,
      [rule({ query, actOnLacking: false })],
      undefined,
      compileRule,
    );
    run.a.emit({ kind: 'resumed', at: at(0) });
    for (let n = 1; n < 10; n++) run.a.emit({ kind: 'readings', readings: readings(n, n + 1, n % 3) });
    run.a.emit({ kind: 'observed', until: at(10) });
    run.a.emit({ kind: 'broken', at: at(10), reason: 'gone' });
    observe(run.a, 100, 125, true);
    await pass(clock, 1000);
    await end(run, clock);
    const all = await told(run);
    expect(doublesIn(all)).toEqual([]);
    // Those of 20 lie in the hole.
    expect(all.filter(({ index, tag }) => index === 20 && /^n(#|$)/.test(tag)).map(({ tag }) => tag)).toEqual(
      ['n', 'n#1', 'n#2'],
    );
  });
});

describe('a rule that is taken out', () => {
  it('moves nothing any more, and says so of each action that waits', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [rule(), rule({ name: 'other' })], away);
    observe(run.a, 0, 25, true);
    await pass(clock, 600);
    expect(run.host.executor.state().waiting).toBe(6);
    await run.host.change([rule({ name: 'other' })], sources);
    await pass(clock, 500);
    expect(kindsOf(await told(run))).toEqual([
      // Sent once, and not answered.
      [0, 'unconfirmed', 'rules-changed'],
      [10, 'refused', 'rules-changed'],
      [20, 'refused', 'rules-changed'],
    ]);
    const open = await run.spool.rules.settings('rules.intent.', 10);
    expect([...open.keys()].every((name) => name.includes('rule:other;'))).toBe(true);
    expect(open.size).toBe(3);
    observe(run.a, 25, 45);
    await pass(clock, 500);
    expect(await told(run)).toHaveLength(3 * 2 + 1 + 3);
    await end(run, clock);
  });

  it('moves nothing of what is on its way to the disk just then', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [rule()]);
    observe(run.a, 0, 25, true);
    await clock.advance(202);
    expect(run.host.status()).toMatchObject([{ rows: 3 }]);
    const before = run.performed.length;
    await run.host.change([], sources);
    await pass(clock, 1000);
    expect(run.performed).toHaveLength(before);
    expect(outcomesIn(await told(run)).map(({ code }) => code)).toEqual(Array(3).fill('rules-changed'));
    expect((await run.spool.rules.settings('rules.intent.', 10)).size).toBe(0);
    await end(run, clock);
  });

  it('moves nothing where the module was stopped meanwhile', async () => {
    const clock = new VirtualClock(origin);
    const store = new MemoryStore();
    const first = await begin(store, clock, [rule(), rule({ name: 'other' })], away);
    observe(first.a, 0, 15, true);
    await pass(clock, 500);
    await end(first, clock);
    const changed = rule({ name: 'other', outputs: ['upstream', { send: 'elsewhere' }] });
    const second = await begin(store, clock, [changed]);
    await pass(clock, 1000);
    expect(second.performed).toEqual([]);
    for (const name of ['hot', 'other'])
      expect(kindsOf(await told(second, name))).toEqual([
        [0, 'refused', 'rules-changed'],
        [10, 'refused', 'rules-changed'],
      ]);
    expect((await second.spool.rules.settings('rules.intent.', 10)).size).toBe(0);
    await end(second, clock);
  });

  it('does not decide afterwards, once it is put back, what it did not see', async () => {
    for (const isStopped of [false, true]) {
      const clock = new VirtualClock(origin);
      const store = new MemoryStore();
      let run = await begin(store, clock, [rule()]);
      const turn = async (rules: readonly ReturnType<typeof rule>[], from: number) => {
        if (isStopped) {
          await end(run, clock);
          run = await begin(store, clock, rules);
        } else await run.host.change(rules, sources);
        run.a.emit({ kind: 'resumed', at: at(from), continues: Continuation.sameNumber(1, 1) });
        observe(run.a, from, from + 25);
        await pass(clock, 500);
      };
      observe(run.a, 0, 25, true);
      await pass(clock, 500);
      await turn([rule({ name: 'other' })], 25);
      await turn([rule()], 50);
      await end(run, clock);
      const times = rowsIn([{ readings: await told(run) } as never]).map(([index, , quality]) => [
        index,
        quality,
      ]);
      expect(times, `stopped: ${isStopped}`).toEqual([
        [0, 'uncertain:input-missing'],
        [10, 'good'],
        [20, 'good'],
        [50, 'uncertain:input-missing'],
        [60, 'good'],
        [70, 'good'],
      ]);
    }
  });
});

describe('a rule that is changed', () => {
  it('carries out what it decided, where it decides and does the same as before', async () => {
    const clock = new VirtualClock(origin);
    let isAway = true;
    const perform = async () => {
      if (isAway) await away();
    };
    const run = await begin(new MemoryStore(), clock, [rule()], perform);
    observe(run.a, 0, 25, true);
    await pass(clock, 300);
    await run.host.change([rule({ perMinute: 30, waitMs: 700 })], sources);
    isAway = false;
    await pass(clock, 2000);
    expect(run.performed.map(({ time }) => time - origin)).toEqual([0, 10, 20]);
    await end(run, clock);
    expect(kindsOf(await told(run)).map(([, kind]) => kind)).toEqual(['done', 'done', 'done']);
  });

  it.each([
    ['writes something else', { outputs: ['upstream', { send: 'elsewhere' }] }],
    ['decides something else', { query: 'SUM' }],
    ['is to do nothing', { dryRun: true }],
  ])('does not carry out what it decided before, where it %s', async (_what, change) => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [rule()], away);
    observe(run.a, 0, 25, true);
    await pass(clock, 300);
    await run.host.change([rule(change)], sources);
    observe(run.a, 25, 45);
    await pass(clock, 500);
    const all = kindsOf(await told(run));
    expect(all.filter(([time]) => Number(time) <= 20).map(([, , code]) => code)).toEqual(
      Array(3).fill('rules-changed'),
    );
    await end(run, clock);
  });

  it('amid the work on a commit decides nothing more as it was', async () => {
    const clock = new VirtualClock(origin);
    const outputs = [{ send: 'control' }];
    const run = await begin(new MemoryStore(), clock, [rule({ name: 'a' }), rule({ outputs })]);
    observe(run.a, 0, 25, true);
    await clock.advance(200);
    // The first rule has had its turn, the other one has not.
    for (
      let turn = 0;
      turn < 50 && run.host.status().every((each) => (each as { rows: number }).rows === 0);
      turn++
    )
      await Promise.resolve();
    await run.host.change([rule({ name: 'a' })], sources);
    await pass(clock, 1000);
    expect(run.performed.filter(({ rule: name }) => name === 'hot')).toEqual([]);
    expect(run.performed).toHaveLength(3);
    await end(run, clock);
  });
});

describe('a rule of which bounds and times alone are changed', () => {
  const counting = {
    query: 'SELECT v, COUNT(*) AS n FROM input GROUP BY v, TumblingWindow(millisecond, 40)',
  };
  const tuned = { perMinute: 30, validForMs: 9000, waitMs: 700, limits: { maxKeys: 50 } };

  it('goes on with all that it holds', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(
      new MemoryStore(),
      clock,
      [rule({ ...counting, actOnLacking: false })],
      undefined,
      compileRule,
    );
    observe(run.a, 1, 65, true);
    await pass(clock, 500);
    await run.host.change([rule({ ...counting, ...tuned, actOnLacking: false })], sources);
    observe(run.a, 65, 125);
    await pass(clock, 1000);
    await end(run, clock);
    // Of the first window nobody knows the beginning.
    expect(rowsIn([{ readings: await told(run) } as never])).toEqual([
      [40, 40, 'uncertain:input-missing'],
      [80, 40, 'good'],
      [120, 40, 'good'],
    ]);
    expect(run.performed.map(({ perMinute, validForMs }) => [perMinute, validForMs])).toEqual([
      [30, 9000],
      [30, 9000],
    ]);
  });

  it('begins anew where its new limits have no room for what it holds', async () => {
    const clock = new VirtualClock(origin);
    const run = await begin(new MemoryStore(), clock, [rule(counting)], undefined, compileRule);
    run.a.emit({ kind: 'resumed', at: at(0) });
    for (let n = 1; n < 20; n++) run.a.emit({ kind: 'readings', readings: readings(n, n + 1, n) });
    run.a.emit({ kind: 'observed', until: at(20) });
    await pass(clock, 500);
    expect(run.host.status()).toMatchObject([{ held: { keys: 19 } }]);
    await run.host.change([rule({ ...counting, limits: { maxKeys: 5 } })], sources);
    observe(run.a, 20, 125);
    await pass(clock, 1000);
    expect(run.host.status()).toMatchObject([{ phase: 'running', rows: 3 }]);
    await end(run, clock);
  });
});

describe('a source that goes on slowly', () => {
  const both = {
    inputs: { input: { source: ['a', 'b'] } },
    query: 'SELECT v FROM input WHERE v = 1',
    waitMs: undefined,
    actOnLacking: false,
  };
  const run = async (everyMs: number | undefined) => {
    const clock = new VirtualClock(origin);
    const store = new MemoryStore();
    const paces = new Map(everyMs === undefined ? [] : [['b', { everyMs }]]);
    const run = await begin(store, clock, [rule(both)], undefined, compileRule, { ...sources, paces });
    run.a.emit({ kind: 'resumed', at: at(0) });
    run.b.emit({ kind: 'resumed', at: at(0) });
    for (let second = 1; second <= 24; second++) {
      await pass(clock, 1000);
      run.a.emit({ kind: 'readings', readings: readings(1000 * second, 1000 * second + 1) });
      run.a.emit({ kind: 'observed', until: at(1000 * second + 1) });
      if (second % 8 === 0) run.b.emit({ kind: 'observed', until: at(1000 * second + 1) });
    }
    await pass(clock, 1000);
    await end(run, clock);
    const all = await told(run);
    return all.filter(({ tag, quality }) => /^v(#|$)/.test(tag) && quality !== 'good').length;
  };

  it('is waited for as long as it may take', async () => {
    expect(await run(8000)).toBe(0);
  });

  it('is waited for 5 s where nobody knows that', async () => {
    expect(await run(undefined)).toBeGreaterThan(5);
  });
});
