// The short form: `when: avg(press.temperature, 10s) > 30`, with `until` and `for`. A tag is its last value; a function over a time is that of
// the values within it. Both become what a query says with LAST and AVG OVER (LIMIT DURATION ..); the hysteresis is state of its own.
import { durationMs } from '../../../kernel/duration-text.ts';
import type { InputPlan, SelectPlan } from '../engine/plan.ts';
import type { RuleConfig } from '../engine-api.ts';
import { compileCondition, compileExpression } from '../expressions/compile-expression.ts';
import { not } from '../expressions/operators.ts';
import type { StaticType } from '../expressions/values.ts';
import { parseExpression } from '../language/parse-query.ts';
import { RuleQueryError } from '../language/query-error.ts';
import type { Call, Expression, Over, Position } from '../language/tree.ts';
import type { CompiledScript } from './compile-script.ts';
import { RowScope, type SourceShape } from './row-scope.ts';
import { maxWindowMs } from './window-call.ts';

const overTime = /^(?:avg|min|max|sum|count|stdevp?|varp?)$/i;
export const latchOutputs = ['when', 'until'] as const;

type ShortRule = Pick<RuleConfig, 'inputs' | 'when' | 'until' | 'for'>;

/** @throws RuleQueryError */
export function compileShortForm({ inputs, when, until, for: hold }: ShortRule): CompiledScript {
  const start = { line: 1, column: 1 };
  const holdMs = hold === undefined ? 0 : durationMs(hold);
  if (holdMs === undefined || holdMs > maxWindowMs)
    throw new RuleQueryError(
      start,
      `for: ${hold} is no duration up to 7 days`,
      'Write 500ms, 5s, 2min, 1h or 1d.',
    );
  const fields = new Map<string, Set<string>>();
  const names = Object.keys(inputs);
  const warnings = new Set<string>();
  const shape: SourceShape = {
    onWarning: (text) => void warnings.add(text),
    prefixes: [],
    typeOf: (dotted) => typeOf(inputs, dotted),
    timeFields: new Set(),
    onField: ([input, ...rest]) => {
      fields.set(input!, (fields.get(input!) ?? new Set()).add(rest.join('.')));
    },
  };
  const scope = new RowScope(shape, []);
  const shown = new Map<string, Expression>();
  let isTellingNull = false;
  const lower = (text: string) => {
    const parsed = parseExpression(text);
    isTellingNull ||= tellsNull(parsed);
    return lowered(parsed, names, shown);
  };
  const on = compileCondition(lower(when ?? ''), scope);
  const onAnalytics = scope.analytics.length;
  const off = until === undefined ? not(on) : compileCondition(lower(until), scope);
  const values = [...shown].map(
    ([name, expression]) => [name, compileExpression(expression, scope).run] as const,
  );
  const select: SelectPlan = {
    applies: [],
    analytics: isTellingNull
      ? scope.analytics
      : scope.analytics.map((one) => (one.kind === 'last' ? { ...one, isOpen: true } : one)),
    where: undefined,
    grouping: undefined,
    having: undefined,
    columns: [],
    latch: {
      on,
      onAnalytics,
      off,
      holdMs,
      onOutput: latchOutputs[0],
      offOutput: latchOutputs[1],
      shown: values,
    },
    feeds: [],
    reachMs: Math.max(holdMs, ...scope.analytics.map(({ limitMs }) => limitMs)),
    restsMs: 0,
    needsState: true,
  };
  const used: InputPlan[] = [...fields.keys()].map((input) => ({
    input,
    time: undefined,
    isWrapped: true,
    feeds: [0],
  }));
  if (used.length === 0)
    throw new RuleQueryError(start, '`when` reads no tag', 'Write it as in press.temperature > 30.');
  return {
    inputs: used,
    selects: [select],
    outputs: [...latchOutputs],
    columns: new Map(latchOutputs.map((output) => [output, latchColumns])),
    windows: [],
    rowsForOne: 1,
    warnings: [...warnings],
    timeFields: [],
    timestampBy: Object.fromEntries([...fields.keys()].map((input) => [input, null])),
    fields: Object.fromEntries([...fields].map(([input, all]) => [input, [...all].sort()])),
  };
}

const latchColumns: ReadonlyMap<string, StaticType> = new Map([
  ['state', 'nvarchar(max)'],
  ['since', 'datetime'],
  ['values', 'record'],
]);

/** Whether it can tell NULL from a value, and not only carry it on: then it rests on that there is none. */
function tellsNull(expression: Expression): boolean {
  switch (expression.kind) {
    case 'is-null':
      return true;
    case 'call':
      return !overTime.test(expression.name);
    case 'unary':
    case 'member':
    case 'cast':
      return tellsNull(expression.of);
    case 'binary':
      return tellsNull(expression.left) || tellsNull(expression.right);
    case 'between':
      return [expression.of, expression.low, expression.high].some(tellsNull);
    case 'in':
      return [expression.of, ...expression.list].some(tellsNull);
    case 'like':
      return tellsNull(expression.of);
    default:
      return false;
  }
}

function typeOf(inputs: RuleConfig['inputs'], dotted: string) {
  for (const [input, { types = {} }] of Object.entries(inputs))
    for (const [field, type] of Object.entries(types))
      if (`${input}.${field}`.toLowerCase() === dotted) return type;
  return 'any';
}

/** `shown`: what of it its rows show, by its text. */
function lowered(
  expression: Expression,
  inputs: readonly string[],
  shown: Map<string, Expression>,
): Expression {
  const lower = (one: Expression) => lowered(one, inputs, shown);
  const show = (name: string, one: Expression) => {
    shown.set(name, one);
    return one;
  };
  switch (expression.kind) {
    case 'column': {
      const path = tagPath(expression.path, inputs, expression.at);
      const column: Expression = { ...expression, path };
      return show(path.join('.'), overLimit('LAST', column, maxWindowMs, expression.at));
    }
    case 'call':
      if (!overTime.test(expression.name)) return { ...expression, args: expression.args.map(lower) };
      return lowerOverTime(expression, inputs, show);
    case 'unary':
    case 'is-null':
    case 'member':
    case 'cast':
      return { ...expression, of: lower(expression.of) };
    case 'binary':
      return { ...expression, left: lower(expression.left), right: lower(expression.right) };
    case 'between':
      return {
        ...expression,
        of: lower(expression.of),
        low: lower(expression.low),
        high: lower(expression.high),
      };
    case 'in':
      return { ...expression, of: lower(expression.of), list: expression.list.map(lower) };
    case 'like':
      return { ...expression, of: lower(expression.of) };
    case 'case':
      throw new RuleQueryError(expression.at, 'CASE stands in the short form', 'Write a query.');
    default:
      return expression;
  }
}

function lowerOverTime(
  call: Call,
  inputs: readonly string[],
  show: (name: string, one: Expression) => Expression,
): Expression {
  const [tag, time] = call.args;
  if (tag?.kind !== 'column' || time?.kind !== 'duration' || call.args.length !== 2)
    throw new RuleQueryError(
      call.at,
      `${call.name} takes a tag and a time`,
      `Write ${call.name}(press.temperature, 10s).`,
    );
  if (time.ms < 1 || time.ms > maxWindowMs)
    throw new RuleQueryError(
      time.at,
      'this time is not from 1 ms to 7 days',
      'Write 500ms, 5s, 2min, 1h or 1d.',
    );
  const path = tagPath(tag.path, inputs, tag.at);
  const name = `${call.name.toLowerCase()}(${path.join('.')}, ${time.ms} ms)`;
  return show(name, overLimit(call.name.toUpperCase(), { ...tag, path }, time.ms, call.at));
}

/** With the input's name before it, as the configuration spells it; where there is one input alone, that is meant. */
function tagPath(path: readonly string[], inputs: readonly string[], at: Position): readonly string[] {
  const [first, ...rest] = path;
  const input =
    inputs.find((name) => name === first) ??
    inputs.find((name) => name.toLowerCase() === first!.toLowerCase());
  if (input !== undefined && rest.length > 0) return [input, ...rest];
  if (inputs.length === 1) return [inputs[0]!, ...path];
  throw new RuleQueryError(
    at,
    `${path.join('.')} begins with no input`,
    inputs.length === 0
      ? 'There are none: give `inputs`, or `sources`.'
      : `Inputs are: ${inputs.join(', ')}.`,
  );
}

/** `LAST(tag) OVER (LIMIT DURATION(millisecond, n) WHEN tag IS NOT NULL)` */
function overLimit(name: string, tag: Expression, ms: number, at: Position): Expression {
  const over: Over = {
    partitionBy: [],
    orderBy: [],
    limit: {
      unit: { kind: 'column', path: ['millisecond'], at },
      size: { kind: 'literal', value: ms, isFloat: false, at },
    },
    when: { kind: 'is-null', of: tag, isNot: true, at },
    at,
  };
  return { kind: 'call', name, args: [tag], isDistinct: false, over, at };
}
