import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRule } from '../compile-rule.ts';
import type { RuleConfig, RuleRow, RunningRule } from '../engine-api.ts';
import { ruleOf } from '../testing/run-rule.ts';

/** Every part that holds state, in one rule or another. */
const rules: readonly Partial<RuleConfig>[] = [
  {
    query:
      'SELECT k, AVG(v) AS a, VAR(v) AS s, COUNT(DISTINCT v) AS d, MAX(t) AS t INTO o FROM input GROUP BY k, HoppingWindow(second, 9, 6)',
  },
  {
    query:
      'SELECT k, SUM(v) AS a, STDEV(v) AS s, CollectTop(2) OVER (ORDER BY v DESC) AS c FROM input GROUP BY k, SlidingWindow(second, 7)',
  },
  {
    query:
      'SELECT k, COUNT(*) AS n, Collect() AS all_of FROM input GROUP BY k, SessionWindow(second, 3, 8) OVER (PARTITION BY k)',
  },
  {
    query:
      "SELECT System.Window().Id AS id, MIN(v) AS n FROM input GROUP BY Windows(Window('x', Tumbling(second, 5)), Window('y', Sliding(second, 4)), Window('z', Session(second, 2, 6)))",
  },
  {
    query:
      'WITH a AS (SELECT *, LAG(v, 2) OVER (PARTITION BY k LIMIT DURATION(second, 9)) AS p, LAST(v) OVER (LIMIT DURATION(second, 9) WHEN v > 0) AS q, ISFIRST(second, 5) OVER (PARTITION BY k) AS f, AVG(v) OVER (LIMIT DURATION(second, 6)) AS m FROM input), b AS (SELECT k, SUM(m) AS m, MAX(p) AS p FROM a GROUP BY k, TumblingWindow(second, 4)) SELECT * FROM b UNION SELECT k, m, p FROM a WHERE f = 1',
  },
  {
    query:
      'SELECT t, v FROM input TIMESTAMP BY t; SELECT COUNT(*) AS n FROM input TIMESTAMP BY t GROUP BY TumblingWindow(second, 5); SELECT v INTO other FROM input',
    eventOrder: { outOfOrderMs: 3000, lateMs: 4000, policy: 'adjust' },
  },
  { when: "avg(input.v, 5s) > 3 OR input.k = 'b'", until: 'min(input.v, 3s) < 0', for: '2s' },
];

const steps = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 4 }),
    behind: fc.integer({ min: 0, max: 9 }),
    k: fc.constantFrom('a', 'b', '$', null),
    // Thirds do not add up exactly: a restored sum must be the same to the last bit.
    v: fc.option(
      fc.integer({ min: -20, max: 20 }).map((x) => x / 3),
      { nil: null, freq: 6 },
    ),
    isAdvance: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
);

function drive(
  config: Partial<RuleConfig>,
  all: readonly (typeof steps extends fc.Arbitrary<infer T> ? T : never)[number][],
  restoreAt: ReadonlySet<number>,
) {
  const compiled = compileRule({ name: 'rule', inputs: { input: {} }, ...config });
  let rule: RunningRule = compiled.start();
  const rows: RuleRow[] = [];
  let seconds = 0;
  for (const [index, { gap, behind, k, v, isAdvance }] of all.entries()) {
    if (restoreAt.has(index)) rule = compiled.start(JSON.parse(JSON.stringify(rule.state())));
    seconds += gap;
    const t = new Date((seconds - behind) * 1000 + 1e12).toISOString();
    rule.push('input', index % 2 === 0 ? 'one' : 'two', seconds * 1000 + 1e12, { k, v, t, $odd: k });
    if (!isAdvance) continue;
    const before = rule.decidedUntil();
    const fresh = rule.advance(seconds * 1000 + 1e12);
    for (const { time } of fresh) {
      expect(time, 'nothing is decided behind what was decided').toBeGreaterThanOrEqual(before);
      expect(time).toBeLessThan(rule.decidedUntil());
    }
    rows.push(...fresh);
  }
  rows.push(...rule.advance(2e12));
  return { rows, counts: rule.counts(), usage: rule.usage() };
}

describe('state', () => {
  it.each(rules)('is restored exactly at any point: %j', (config) => {
    fc.assert(
      fc.property(steps, fc.func(fc.boolean()), (all, isRestored) => {
        const restoreAt = new Set([...all.keys()].filter((index) => isRestored(index)));
        expect(drive(config, all, restoreAt)).toEqual(drive(config, all, new Set()));
      }),
      { numRuns: 40 },
    );
  });

  it('a rule without state of its own begins anew from what it was pushed within its reach', () => {
    const compiled = ruleOf(rules[0]!.query!);
    expect(compiled.needsState).toBe(false);
    const push = (rule: RunningRule, from: number, to: number) => {
      for (let t = from; t < to; t++) rule.push('input', 's', t * 1000, { k: t % 3, v: t, t });
    };
    const whole = compiled.start();
    push(whole, 0, 100);
    const late = whole.advance(100_000).filter(({ time }) => time >= 60_000);
    const fresh = compiled.start();
    push(fresh, 60 - compiled.reachMs / 1000, 100);
    expect(fresh.advance(100_000).filter(({ time }) => time >= 60_000)).toEqual(late);
  });

  it('of another rule, or broken, is refused', () => {
    const one = ruleOf('SELECT COUNT(*) AS n FROM input GROUP BY TumblingWindow(second, 5)');
    const other = ruleOf('SELECT COUNT(*) AS n FROM input GROUP BY TumblingWindow(second, 6)');
    const refused = expect.objectContaining({ code: 'rule-state-invalid' });
    expect(() => other.start(one.start().state())).toThrowError(refused);
    expect(() => one.start({ fingerprint: one.fingerprint, watermark: null })).toThrowError(refused);
  });

  it('is bounded: rows over a limit are refused and counted, and the rest goes on', () => {
    const query =
      'SELECT k, COUNT(*) AS n, Collect(v) AS vs FROM input GROUP BY k, TumblingWindow(second, 10)';
    const rule = ruleOf(query, { limits: { maxKeys: 3, maxRows: 1000 } }).start();
    for (let i = 0; i < 10; i++) rule.push('input', 's', 1000, { k: i % 5, v: i });
    const rows = rule.advance(20_000);
    expect(rows.map(({ row }) => [row.k, row.n])).toEqual([
      [0, 2],
      [1, 2],
      [2, 2],
    ]);
    expect(rule.counts()).toMatchObject({ rowsIn: 10, refused: 4, rowsOut: 3 });
    expect(rule.lastProblem()).toContain('limits.maxKeys');
    const small = ruleOf(query, { limits: { maxRows: 8 } }).start();
    for (let i = 0; i < 20; i++) small.push('input', 's', 1000, { k: 0, v: i });
    expect(small.advance(20_000)[0]!.row.n).toBe(7);
    expect(small.counts().refused).toBe(13);
    expect(small.usage()).toEqual({ keys: 0, rows: 0, bytes: 0 });
  });

  it('partitions that LAG no longer needs are let go of', () => {
    const rule = ruleOf('SELECT LAG(v) OVER (PARTITION BY k LIMIT DURATION(second, 10)) AS p FROM input', {
      limits: { maxKeys: 100 },
    }).start();
    for (let i = 0; i < 5000; i++) {
      rule.push('input', 's', i * 1000, { k: i, v: i });
      rule.advance(i * 1000 + 1);
    }
    expect(rule.counts()).toMatchObject({ refused: 0, rowsOut: 5000 });
    expect(rule.usage().keys).toBeLessThanOrEqual(100);
  });
});
