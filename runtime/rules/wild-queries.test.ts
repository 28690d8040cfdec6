import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { queryInputs } from './compile/query-inputs.ts';
import { compileRule } from './compile-rule.ts';
import { wildThatAreRefused, wildThatRun } from './testing/wild-queries.ts';

const document = readFileSync(new URL('../../docs/RULES.md', import.meta.url), 'utf8');
/** What each is ordered by is the index. */
const timeOf = (query: string) => /TIMESTAMP BY \[?(\w+)/i.exec(query)?.[1] ?? 'time';

describe('public queries', () => {
  it('are 30 or more, each listed in docs/RULES.md', () => {
    const all = [...wildThatRun, ...wildThatAreRefused].map(({ name }) => name);
    expect(all.length).toBeGreaterThanOrEqual(30);
    expect(all.filter((name) => !document.includes(`| ${name} |`))).toEqual([]);
  });

  it.each(wildThatRun.map((one) => [one.name, one] as const))(
    '%s runs',
    (_, { query, rows, count, first }) => {
      const names = queryInputs(query);
      const inputs = Object.fromEntries(names.map((name) => [name, { indexField: timeOf(query) }]));
      const rule = compileRule({ name: 'wild', inputs, query }).start();
      for (const name of names)
        for (const [seconds, row] of rows) rule.push(name, 'source', seconds * 1000, row);
      const decided = rule.advance(Number.MAX_SAFE_INTEGER);
      expect(rule.lastProblem()).toBe(undefined);
      expect(decided).toHaveLength(count);
      expect(decided[0]!.row).toEqual(first);
    },
  );

  it.each(wildThatAreRefused.map((one) => [one.name, one] as const))(
    '%s is refused by name',
    (_, { query, refusal }) => {
      const compile = () => {
        const steps = [...query.matchAll(/(\w+) AS \( SELECT/gi)].map(([, name]) => name!);
        const names = [...query.matchAll(/FROM (\w+)/gi)]
          .map(([, name]) => name!)
          .filter((name) => !steps.includes(name));
        return compileRule({
          name: 'wild',
          inputs: Object.fromEntries(names.map((name) => [name, {}])),
          query,
        });
      };
      expect(compile).toThrowError(
        expect.objectContaining({
          code: 'rule-query-unsupported',
          message: expect.stringContaining(refusal),
        }),
      );
    },
  );
});
