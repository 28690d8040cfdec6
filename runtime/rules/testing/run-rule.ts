// Runs a rule over a few rows, for tests.
import { compileRule } from '../compile-rule.ts';
import type { CompiledRule, RuleConfig, RuleInputRow, RuleRow } from '../engine-api.ts';

/** Seconds, and what is at them. */
export type TimedRow = readonly [seconds: number, row: RuleInputRow];

export function ruleOf(query: string, config: Partial<RuleConfig> = {}): CompiledRule {
  return compileRule({ name: 'rule', inputs: { input: {} }, query, ...config });
}

/** All that a query decides on rows of `input`, once all is known. */
export function decide(
  query: string,
  rows: readonly TimedRow[],
  config: Partial<RuleConfig> = {},
): readonly RuleRow[] {
  const running = ruleOf(query, config).start();
  for (const [seconds, row] of rows) running.push('input', 'source', seconds * 1000, row);
  return running.advance(Number.MAX_SAFE_INTEGER);
}

/** The value of one expression of an empty row, or of the row given. */
export function computed(expression: string, row: RuleInputRow = {}): unknown {
  const running = ruleOf(`SELECT ${expression} AS value FROM input`).start();
  running.push('input', 'source', 0, row);
  const [first] = running.advance(1);
  return first === undefined ? `failed: ${running.lastProblem()}` : first.row.value;
}

/** Seconds and one column of each row. */
export function timed(rows: readonly RuleRow[], column = 'n'): readonly (readonly [number, unknown])[] {
  return rows.map(({ time, row }) => [time / 1000, row[column]] as const);
}
