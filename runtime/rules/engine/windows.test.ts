// Windows against their definitions, written down as plainly as possible: for each end, the rows within.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RuleRow } from '../engine-api.ts';
import { ruleOf, type TimedRow } from '../testing/run-rule.ts';

interface Event {
  readonly t: number;
  readonly key: string;
  readonly value: number | null;
}

/** Small whole seconds, so that ends and starts are often hit exactly. */
const events = fc
  .array(
    fc.record({
      t: fc.integer({ min: 0, max: 60 }),
      key: fc.constantFrom('a', 'b'),
      value: fc.option(fc.integer({ min: -50, max: 50 }), { nil: null, freq: 5 }),
    }),
    { maxLength: 40 },
  )
  .map((all) => all.sort((a, b) => a.t - b.t));

const columns =
  'COUNT(*) AS n, COUNT(v) AS c, SUM(v) AS s, AVG(v) AS a, MIN(v) AS lo, MAX(v) AS hi, COUNT(DISTINCT v) AS d, VAR(v) AS var, TopOne() OVER (ORDER BY v DESC, n) AS best, Collect(v) AS vs, k';

function summary(rows: readonly Event[], key: string) {
  const values = rows.flatMap(({ value }) => value ?? []);
  const sum = values.reduce((all, one) => all + one, 0);
  const mean = sum / values.length;
  const squares = values.reduce((all, one) => all + (one - mean) ** 2, 0);
  const best = [...rows].sort((a, b) => (b.value ?? -1e9) - (a.value ?? -1e9))[0]!;
  return {
    n: rows.length,
    c: values.length,
    s: values.length === 0 ? null : sum,
    a: values.length === 0 ? null : mean,
    lo: values.length === 0 ? null : Math.min(...values),
    hi: values.length === 0 ? null : Math.max(...values),
    d: new Set(values).size,
    var: values.length < 2 ? null : squares / (values.length - 1),
    best: { k: best.key, v: best.value },
    vs: rows.map(({ value }) => value),
    k: key,
  };
}

function decided(window: string, all: readonly Event[], chunk: number): readonly RuleRow[] {
  const rule = ruleOf(`SELECT ${columns} FROM input GROUP BY k, ${window}`).start();
  const rows: RuleRow[] = [];
  const timedRows = all.map(({ t, key, value }): TimedRow => [t, { k: key, v: value }]);
  for (const [index, [seconds, row]] of timedRows.entries()) {
    // Cutting into calls changes nothing.
    if (index % chunk === 0) rows.push(...rule.advance(seconds * 1000));
    rule.push('input', 's', seconds * 1000, row);
  }
  rows.push(...rule.advance(1e9));
  expect(rule.usage(), 'all is let go of in the end').toEqual({ keys: 0, rows: 0, bytes: 0 });
  expect(rule.counts().failed + rule.counts().refused).toBe(0);
  return rows;
}

function compare(
  rows: readonly RuleRow[],
  wanted: readonly (readonly [end: number, row: ReturnType<typeof summary>])[],
) {
  const text = (time: number, row: Record<string, unknown>) => {
    const { var: variance, a, ...rest } = row;
    const round = (x: unknown) => (typeof x === 'number' ? Math.round(x * 1e6) / 1e6 + 0 : x);
    return JSON.stringify([time, Object.entries({ ...rest, a: round(a), variance: round(variance) }).sort()]);
  };
  expect(rows.map(({ time, row }) => text(time / 1000, row)).sort()).toEqual(
    wanted.map(([end, row]) => text(end, row)).sort(),
  );
  const times = rows.map(({ time }) => time);
  expect(times, 'in the order of time').toEqual([...times].sort((a, b) => a - b));
  const names = rows.map(({ time, key, ordinal }) => `${time} ${key} ${ordinal}`);
  expect(new Set(names).size, 'each with a name of its own').toBe(names.length);
}

/** One row for each key at each end whose window has rows of it. */
function byEnds(
  all: readonly Event[],
  ends: readonly number[],
  within: (t: number, end: number, key: string) => boolean,
) {
  return ends.flatMap((end) =>
    ['a', 'b'].flatMap((key) => {
      const rows = all.filter((one) => one.key === key && within(one.t, end, key));
      return rows.length === 0 ? [] : [[end, summary(rows, key)] as const];
    }),
  );
}

const chunks = fc.integer({ min: 1, max: 7 });
const upTo = (last: number) => Array.from({ length: last + 1 }, (_, i) => i);

describe('windows', () => {
  it('tumbling and hopping ones end at multiples of the hop, hold their end, and not their start', () => {
    const shapes = fc.record({
      size: fc.integer({ min: 1, max: 20 }),
      hop: fc.integer({ min: 1, max: 25 }),
      offset: fc.integer({ min: -7, max: 7 }),
    });
    fc.assert(
      fc.property(events, shapes, chunks, (all, { size, hop, offset }, chunk) => {
        const window = `HoppingWindow(Duration(second, ${size}), Hop(second, ${hop}), Offset(second, ${offset}))`;
        const ends = upTo(120)
          .map((t) => t - 10)
          .filter((t) => (((t - offset) % hop) + hop) % hop === 0);
        compare(
          decided(window, all, chunk),
          byEnds(all, ends, (t, end) => t > end - size && t <= end),
        );
        const tumbling = `TumblingWindow(second, ${size})`;
        const wholes = upTo(120).filter((t) => t % size === 0);
        compare(
          decided(tumbling, all, chunk),
          byEnds(all, wholes, (t, end) => t > end - size && t <= end),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('sliding ones yield at each moment at which a row of the group enters or leaves, while one is within', () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 20 }), chunks, (all, size, chunk) => {
        const wanted = ['a', 'b'].flatMap((key) => {
          const own = all.filter((one) => one.key === key);
          const moments = [...new Set(own.flatMap(({ t }) => [t, t + size]))];
          return byEnds(own, moments, (t, end) => t > end - size && t <= end);
        });
        compare(decided(`SlidingWindow(second, ${size})`, all, chunk), wanted);
      }),
      { numRuns: 80 },
    );
  });

  it('snapshot ones hold what has one time', () => {
    fc.assert(
      fc.property(events, chunks, (all, chunk) => {
        compare(
          decided('System.Timestamp()', all, chunk),
          byEnds(all, upTo(60), (t, end) => t === end),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('session ones end with the timeout, or are cut at the multiple of the maximum that the reference says', () => {
    const shapes = fc.record({
      timeout: fc.integer({ min: 1, max: 8 }),
      most: fc.integer({ min: 2, max: 25 }),
      isByKey: fc.boolean(),
    });
    fc.assert(
      fc.property(events, shapes, chunks, (all, { timeout, most, isByKey }, chunk) => {
        const over = isByKey ? ' OVER (PARTITION BY k)' : '';
        const parts = isByKey ? ['a', 'b'].map((key) => all.filter((one) => one.key === key)) : [all];
        const wanted = parts.flatMap((part) =>
          sessions(part, timeout, most).flatMap(({ end, rows }) => byEnds(rows, [end], () => true)),
        );
        compare(decided(`SessionWindow(second, ${timeout}, ${most})${over}`, all, chunk), wanted);
      }),
      { numRuns: 80 },
    );
  });
});

describe('rows of one window, given many at once', () => {
  const value = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: -50, max: 50 }) },
    { weight: 4, arbitrary: fc.double({ min: -1e6, max: 1e6, noNaN: true }) },
    fc.constantFrom(null, undefined, true, '7', 'seven', [1], { deep: 1 }, Number.NaN),
  );
  const queries = [
    'SUM(v) AS s, AVG(v) AS a, COUNT(v) AS c, COUNT(*) AS n, VAR(v) AS x',
    'MIN(v) AS lo, MAX(v) AS hi, MIN(time) AS first, MAX(time) AS last',
    'MAX(r.v) AS hi, COUNT(*) AS n',
  ];

  it('come to what they come to one by one: sums to the last bit, and rows that cannot be computed', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 700 }), fc.constantFrom(...queries), (values, columns) => {
        const query = (where: string) =>
          ruleOf(`SELECT ${columns} FROM input ${where} GROUP BY TumblingWindow(millisecond, 300)`).start();
        // With WHERE each row is looked at by itself.
        const [atOnce, oneByOne] = [query(''), query('WHERE 1 = 1')];
        const rows: RuleRow[] = [];
        for (const [t, v] of values.entries()) {
          const row = { ...(v === undefined ? {} : { v }), r: { v } } as never;
          atOnce.push('input', 's', t, row);
          oneByOne.push('input', 's', t, row);
          rows.push(...oneByOne.advance(t + 1));
        }
        rows.push(...oneByOne.advance(1e6));
        expect(atOnce.advance(1e6)).toEqual(rows);
        expect(atOnce.counts()).toEqual(oneByOne.counts());
        expect(atOnce.usage()).toEqual(oneByOne.usage());
      }),
      { numRuns: 60 },
    );
  });
});

/** Second by second. */
function sessions(all: readonly Event[], timeout: number, most: number) {
  const done: { end: number; rows: Event[] }[] = [];
  let open: { start: number; last: number; rows: Event[] } | undefined;
  for (let t = 0; t <= 200; t++) {
    for (const event of all.filter((one) => one.t === t)) {
      open ??= { start: t, last: t, rows: [] };
      open.last = t;
      open.rows.push(event);
    }
    if (open === undefined) continue;
    const isTimeUp = t === open.last + timeout;
    if (!isTimeUp && !(t % most === 0 && t - open.start >= most)) continue;
    if (open.rows.length > 0) done.push({ end: t, rows: open.rows });
    // Cut: the next one begins at this point.
    open = isTimeUp ? undefined : { start: t, last: open.last, rows: [] };
  }
  return done;
}
