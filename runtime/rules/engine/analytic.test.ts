// Analytic functions, against their definitions: for each row, all rows before it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ruleOf } from '../testing/run-rule.ts';

interface Event {
  readonly t: number;
  readonly k: string;
  readonly v: number | null;
}

const events = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 0, max: 4 }),
      k: fc.constantFrom('a', 'b', 'c'),
      v: fc.option(fc.integer({ min: -9, max: 9 }), { nil: null, freq: 5 }),
    }),
    { maxLength: 40 },
  )
  .map((all) => {
    let t = 0;
    return all.map(({ gap, k, v }): Event => {
      t += gap;
      return { t, k, v };
    });
  });
const shape = fc.record({
  offset: fc.integer({ min: 1, max: 3 }),
  limit: fc.integer({ min: 1, max: 12 }),
  isByKey: fc.boolean(),
  isFiltered: fc.boolean(),
});

describe('functions that look back', () => {
  it('see what their definitions say, whatever WHERE leaves out', () => {
    fc.assert(
      fc.property(events, shape, (all, { offset, limit, isByKey, isFiltered }) => {
        const by = isByKey ? 'PARTITION BY k ' : '';
        const when = isFiltered ? ' WHEN v > 0' : '';
        const over = `OVER (${by}LIMIT DURATION(second, ${limit})${when})`;
        const first = isByKey || isFiltered ? ` OVER (${by}${when})` : '';
        const rule =
          ruleOf(`SELECT i, LAG(v, ${offset}, 99) ${over} AS lag, LAST(v) ${over} AS last, ISFIRST(second, ${limit})${first} AS first,
          SUM(v) ${over} AS sum, COUNT(*) ${over} AS n, MIN(v) ${over} AS least FROM input WHERE i % 3 <> 1`).start();
        for (const [i, { t, k, v }] of all.entries()) rule.push('input', 's', t * 1000, { i, k, v });
        const isMeant = ({ v }: Event) => !isFiltered || (v !== null && v > 0);
        const wanted = all.flatMap((one, i) => {
          if (i % 3 === 1) return [];
          const alike = all.slice(0, i).filter((other) => isMeant(other) && (!isByKey || other.k === one.k));
          const isRecent = (other: Event) => other.t > one.t - limit;
          const lag = alike.at(-offset);
          const upTo = isMeant(one) ? [...alike, one] : alike;
          const last = upTo.at(-1);
          const recent = upTo.filter(isRecent);
          const values = recent.flatMap(({ v }) => v ?? []);
          const stretch = (t: number) => Math.ceil(t / limit);
          const isFirst = isMeant(one) && !alike.some((other) => stretch(other.t) === stretch(one.t));
          return [
            {
              i,
              lag: lag !== undefined && isRecent(lag) ? lag.v : 99,
              last: last !== undefined && isRecent(last) ? last.v : null,
              first: isFirst ? 1 : 0,
              sum: values.length === 0 ? null : values.reduce((sum, v) => sum + v, 0),
              n: recent.length,
              least: values.length === 0 ? null : Math.min(...values),
            },
          ];
        });
        expect(rule.advance(1e9).map(({ row }) => row)).toEqual(wanted);
        expect(rule.counts()).toMatchObject({ failed: 0, refused: 0 });
      }),
      { numRuns: 150 },
    );
  });
});
