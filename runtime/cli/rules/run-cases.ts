// Runs the cases of a test project through the rules' engine, and compares the output with the expected one.
import { compileRule } from '../../rules/compile-rule.ts';
import type { CompiledRule, RuleRecord } from '../../rules/engine-api.ts';
import { parseDate } from '../../rules/expressions/values.ts';
import { RuleQueryError } from '../../rules/language/query-error.ts';
import type { TestCase, TestProject } from './test-project.ts';

export interface CaseResult {
  readonly project: string;
  readonly name: string;
  /** The differences, a line each; empty where the case passed. */
  readonly problems: readonly string[];
}

const maxShown = 20;

export function runCase(project: TestProject, one: TestCase): CaseResult {
  const result = (problems: readonly string[]) => ({ project: project.folder, name: one.name, problems });
  let rule: CompiledRule;
  try {
    const inputs = Object.fromEntries(
      one.inputs.map(({ alias }) => {
        const types = project.types?.[alias];
        return [alias, { indexField: 'EventEnqueuedUtcTime', ...(types && { types }) }];
      }),
    );
    // What is late in a file is late by the order of its lines alone.
    const eventOrder = { ...project.order, lateMs: anyTime };
    rule = compileRule({ name: one.name, inputs, query: project.query, eventOrder });
  } catch (error) {
    if (!(error instanceof RuleQueryError)) throw error;
    const { expectedError } = one;
    if (expectedError === undefined) return result([`${project.script}: ${error.message}`]);
    return result(
      error.message.includes(expectedError)
        ? []
        : [`expected an error with "${expectedError}", got: ${error.message}`],
    );
  }
  if (one.expectedError !== undefined)
    return result([`expected an error with "${one.expectedError}"; the query is accepted`]);
  const known = rule.outputs.map((output) => output.toLowerCase());
  const unknown = one.outputs.filter(({ alias }) => !known.includes(alias.toLowerCase()));
  return result([
    ...unknown.map(({ alias }) => `the query has no output ${alias}; it has: ${rule.outputs.join(', ')}`),
    ...differences(one, decide(rule, one)),
  ]);
}

/** Beyond any date. */
const anyTime = 8.64e15;

function decide(rule: CompiledRule, { inputs }: TestCase): ReadonlyMap<string, readonly RuleRecord[]> {
  const running = rule.start();
  for (const { alias, events } of inputs) {
    const isTimed = typeof rule.timestampBy[alias] === 'string';
    for (const [line, event] of events.entries())
      running.push(alias, alias, isTimed ? anyTime : arrival(event, line), event);
  }
  const rows = new Map<string, RuleRecord[]>();
  for (const { output, row } of running.advance(3 * anyTime))
    rows.set(output, [...(rows.get(output) ?? []), row]);
  const problem = running.lastProblem();
  if (problem !== undefined)
    rows.set(`(${running.counts().failed} rows failed, the last one: ${problem})`, []);
  return rows;
}

/** As the hub stamps it; else events come 1 ms apart. */
function arrival(event: RuleRecord, line: number): number {
  const stamp = event.EventEnqueuedUtcTime;
  return (typeof stamp === 'string' ? parseDate(stamp, 'up')?.getTime() : undefined) ?? line;
}

function differences(one: TestCase, came: ReadonlyMap<string, readonly RuleRecord[]>): readonly string[] {
  const problems: string[] = [];
  for (const { alias, rows } of one.outputs) {
    const actual =
      came.get(alias) ?? [...came].find(([name]) => name.toLowerCase() === alias.toLowerCase())?.[1] ?? [];
    const missing = without(rows, actual);
    const unexpected = without(actual, rows);
    if (missing.length + unexpected.length === 0) continue;
    problems.push(`${alias}: ${rows.length} rows expected, ${actual.length} came`);
    problems.push(...shown('-', missing), ...shown('+', unexpected));
  }
  const failed = [...came.keys()].find((name) => name.startsWith('('));
  if (problems.length > 0 && failed !== undefined) problems.push(failed);
  return problems;
}

function shown(mark: string, rows: readonly RuleRecord[]): readonly string[] {
  const lines = rows.slice(0, maxShown).map((row) => `  ${mark} ${JSON.stringify(row)}`);
  return rows.length > maxShown ? [...lines, `  ${mark} and ${rows.length - maxShown} more`] : lines;
}

/** Those of `all` that `others` has not as often. Their order says nothing: rows of one time have none. */
function without(all: readonly RuleRecord[], others: readonly RuleRecord[]): readonly RuleRecord[] {
  const left = new Map<string, number>();
  for (const row of others) left.set(canonical(row), (left.get(canonical(row)) ?? 0) + 1);
  return all.filter((row) => {
    const count = left.get(canonical(row)) ?? 0;
    left.set(canonical(row), count - 1);
    return count <= 0;
  });
}

/** Dates by what they mean, numbers to 12 digits, fields in any order. */
function canonical(value: unknown): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(12)));
  if (typeof value === 'string') {
    const date = /^\d{4}-\d\d-\d\dT/.test(value) ? parseDate(value) : undefined;
    return JSON.stringify(date === undefined ? value : date.toISOString());
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([name, part]) => `${JSON.stringify(name)}:${canonical(part)}`)
      .sort()
      .join()}}`;
  return JSON.stringify(value) ?? 'null';
}
