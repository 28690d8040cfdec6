// Compiles a rule's configuration to a rule that can be started. This file loads the parser: import it only where there are
// rules.
import { createHash } from 'node:crypto';
import { compileScript } from './compile/compile-script.ts';
import { compileShortForm } from './compile/short-form.ts';
import { defaultLimits } from './engine/budget.ts';
import { paneOf } from './engine/grid-window.ts';
import type { RulePlan } from './engine/plan.ts';
import { Running } from './engine/running-rule.ts';
import type { CompiledRule, EventOrder, RuleConfig, RuleLimits, WindowUse } from './engine-api.ts';
import { parseQuery } from './language/parse-query.ts';
import { RuleQueryError } from './language/query-error.ts';

/** Counts up where state of an earlier engine means something else. */
const engineVersion = 3;

export const defaultOrder: Required<EventOrder> = {
  outOfOrderMs: 0,
  lateMs: 5000,
  aheadMs: 300_000,
  policy: 'adjust',
};

/** @throws RuleQueryError (a HoldfastError): `rule-query-invalid`, `rule-query-unsupported`, with line and column */
export function compileRule(config: RuleConfig): CompiledRule {
  const { name, inputs, query, when } = config;
  if ((query === undefined) === (when === undefined))
    throw new RuleQueryError(
      { line: 1, column: 1 },
      'a rule has either `query` or `when`',
      'Give one of the two.',
    );
  if (query !== undefined && (config.until !== undefined || config.for !== undefined))
    throw new RuleQueryError(
      { line: 1, column: 1 },
      '`until` and `for` stand with a query',
      'They belong to `when`: say it in the query with HAVING, LAG or a window.',
    );
  const script = withinStack(() =>
    query === undefined ? compileShortForm(config) : compileScript(parseQuery(query), inputs),
  );
  const order = { ...defaultOrder, ...config.eventOrder };
  const limits = { ...defaultLimits, ...config.limits };
  const plan: RulePlan = { inputs: script.inputs, selects: script.selects, order };
  const isTimed = script.inputs.some(({ time }) => time !== undefined);
  const fingerprint = fingerprintOf(config, order);
  return {
    name,
    inputs: [...new Set(script.inputs.map(({ input }) => input))],
    outputs: script.outputs,
    columns: script.columns,
    fields: script.fields,
    timestampBy: script.timestampBy,
    timeFields: script.timeFields,
    windows: script.windows,
    rowsForOne: script.rowsForOne,
    reachMs:
      Math.max(0, ...script.selects.map(({ reachMs }) => reachMs)) +
      (isTimed ? order.outOfOrderMs + order.lateMs : 0),
    aheadMs: isTimed ? order.aheadMs : 0,
    needsState: script.selects.some(({ needsState }) => needsState),
    limits,
    warnings: [...script.warnings, ...script.windows.flatMap((window) => tightWarning(window, limits))],
    fingerprint,
    start: (state) => {
      const running = new Running(plan, fingerprint, limits);
      if (state !== undefined) running.load(state);
      return running;
    },
  };
}

/** Whatever is nested too deeply, in whatever way. */
function withinStack<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RuleQueryError(
      { line: 1, column: 1 },
      'the query is nested too deeply',
      'Name parts of it in WITH.',
    );
  }
}

/** Where a hopping window's panes leave room for few keys alone. */
function tightWarning(
  { kind, sizeMs, hopMs = sizeMs }: WindowUse,
  { maxRows }: Required<RuleLimits>,
): readonly string[] {
  if (kind !== 'hopping') return [];
  const panes = sizeMs / paneOf({ sizeMs, hopMs, offsetMs: 0 });
  const keys = Math.floor(maxRows / panes);
  if (keys >= 100) return [];
  return [
    `a window of ${panes} hops keeps as many sums for each key: limits.maxRows has room for ${keys} keys; choose a longer hop, or raise it`,
  ];
}

function fingerprintOf(
  { inputs, query, when, until, for: hold }: RuleConfig,
  order: Required<EventOrder>,
): string {
  const sorted = Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([engineVersion, sorted, query, when, until, hold, order]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
