// Compiles one SELECT to its plan.
import type { ApplyPlan, Column, Grouping, SelectPlan, WindowPlan } from '../engine/plan.ts';
import type { WindowUse } from '../engine-api.ts';
import { compileCondition, compileExpression, type Scope } from '../expressions/compile-expression.ts';
import type { Compiled } from '../expressions/frame.ts';
import { tableFunctions } from '../expressions/functions.ts';
import type { StaticType } from '../expressions/values.ts';
import { RuleQueryError } from '../language/query-error.ts';
import type { Apply, Expression, Position, Select, SelectItem } from '../language/tree.ts';
import { ownTagProblem } from '../own-tags.ts';
import { GroupScope } from './group-scope.ts';
import { RowScope, type SourceShape } from './row-scope.ts';
import { type NamedWindow, windowItems, windowsOf } from './window-call.ts';

export interface CompiledSelect {
  readonly plan: Omit<SelectPlan, 'reachMs' | 'restsMs'>;
  /** How far back it looks itself: what it needs to begin with, and what a row of its windows rests on. */
  readonly ownReachMs: number;
  readonly ownRestsMs: number;
  readonly windows: readonly WindowUse[];
  /** Types of the columns of its rows, by name in lower case, as far as they are known. */
  readonly columnTypes: ReadonlyMap<string, StaticType>;
  /** All of its columns, by name in lower case, as they are written; undefined where it is not known. */
  readonly allColumns: ReadonlyMap<string, string> | undefined;
}

/** @throws RuleQueryError */
export function compileSelect(select: Select, source: SourceShape): CompiledSelect {
  const aliases = select.from.applies.map(({ alias }) => alias.toLowerCase());
  const rows = new RowScope(source, aliases);
  const applies = select.from.applies.map((apply) => compileApply(apply, rows));
  const filter = filterOf(select);
  const where = filter === undefined ? undefined : compileCondition(filter, rows);
  const windowsHere = windowItems(select.groupBy);
  const windows = windowsHere.flatMap((item) => windowsOf(item) ?? []);
  if (select.groupBy.length > 0 && windows.length === 0)
    throw new RuleQueryError(
      select.groupBy[0]!.at,
      'GROUP BY has no window',
      'Add one, such as TumblingWindow(second, 10).',
    );
  if (windowsHere.length > 1)
    throw new RuleQueryError(
      select.at,
      'GROUP BY has several windows',
      'Use Windows(), or several statements.',
    );
  const keyExpressions = select.groupBy.filter((item) => !windowsHere.includes(item));
  const keys = keyExpressions.map((expression) => ({ expression, ...compileExpression(expression, rows) }));
  const groups = windows.length === 0 ? undefined : new GroupScope(rows, keys);
  const scope: Scope = groups ?? rows;
  const { columns, aliased } = compileItems(select, scope, source, rows);
  if (groups !== undefined) groups.aliases = aliased;
  const having =
    select.having === undefined || groups === undefined ? undefined : compileCondition(select.having, scope);
  const windowPlans = windows.map((window) => windowPlan(window, rows));
  const grouping: Grouping | undefined =
    groups === undefined
      ? undefined
      : { keys: keys.map(({ run }) => run), windows: windowPlans, aggregates: groups.aggregates };
  const { analytics } = rows;
  const lookBack = Math.max(0, ...analytics.map(({ limitMs }) => limitMs));
  return {
    plan: {
      applies,
      analytics,
      where,
      grouping,
      having,
      columns,
      feeds: [],
      needsState: windowPlans.some(({ kind }) => kind === 'session'),
    },
    ownReachMs: lookBack + Math.max(0, ...windowPlans.map(reachOf)),
    ownRestsMs: lookBack + Math.max(0, ...windowPlans.map(sizeOf)),
    windows: windows.map(windowUse),
    allColumns: allColumns(select, columns, source),
    columnTypes: new Map([...aliased].map(([name, { type }]) => [name, type])),
  };
}

function allColumns(
  { items }: Select,
  columns: readonly Column[],
  source: SourceShape,
): ReadonlyMap<string, string> | undefined {
  const all = new Map<string, string>();
  for (const [at, column] of columns.entries()) {
    if (column.kind === 'value') {
      all.set(column.name.toLowerCase(), column.name);
      continue;
    }
    const { value } = items[at]!;
    const isOfSource =
      value.kind === 'star' && (value.of === undefined || source.prefixes.includes(value.of.toLowerCase()));
    if (!isOfSource || source.columns === undefined) return undefined;
    for (const [name, written] of source.columns) if (!all.has(name)) all.set(name, written);
  }
  return all;
}

/** HAVING without GROUP BY is a WHERE. */
function filterOf({ where, having, groupBy }: Select): Expression | undefined {
  if (having === undefined || groupBy.length > 0) return where;
  if (where === undefined) return having;
  return { kind: 'binary', operator: 'AND', left: where, right: having, at: having.at };
}

function compileApply({ call, isOuter, at }: Apply, scope: Scope): ApplyPlan {
  const rows = call.kind === 'call' ? tableFunctions.get(call.name.toUpperCase()) : undefined;
  if (call.kind !== 'call' || rows === undefined || call.args.length !== 1)
    throw new RuleQueryError(
      at,
      'APPLY takes GetArrayElements(x) or GetRecordProperties(x)',
      'Write CROSS APPLY GetArrayElements(x) AS e.',
    );
  return { isOuter, of: compileExpression(call.args[0]!, scope).run, rows };
}

function compileItems(
  select: Select,
  scope: Scope,
  source: SourceShape,
  rows: RowScope,
): { columns: readonly Column[]; aliased: ReadonlyMap<string, Compiled> } {
  const aliased = new Map<string, Compiled>();
  const isGrouped = select.groupBy.length > 0;
  const columns = select.items.map(named).map(({ value, alias }, index): Column => {
    if (value.kind === 'star') {
      if (isGrouped)
        throw new RuleQueryError(value.at, '* stands with GROUP BY', 'Name keys and aggregates.');
      return allOf(value, source, rows);
    }
    const name = alias ?? defaultName(value, index);
    checkName(name, value.at);
    if (aliased.has(name.toLowerCase()))
      throw new RuleQueryError(
        value.at,
        `two columns are named ${name}`,
        'Give one of them another name: AS name.',
      );
    const compiled = compileExpression(value, scope);
    aliased.set(name.toLowerCase(), compiled);
    return { kind: 'value', name, run: compiled.run };
  });
  return { columns, aliased };
}

/** @throws RuleQueryError where a tag of the rule's stream cannot be named so */
function checkName(name: string, at: Position): void {
  const why =
    name.length > maxNameLength ? `is longer than ${maxNameLength} characters` : ownTagProblem(name);
  if (why === undefined) return;
  const shown = name.length > 64 ? `${name.slice(0, 64)}...` : name;
  throw new RuleQueryError(at, `the column ${shown} ${why}`, 'Give it another name: AS name.');
}

/** As of a tag. */
const maxNameLength = 1024;

/** `alias = expression` is the older spelling of `expression AS alias`. */
function named(item: SelectItem): SelectItem {
  const { value, alias } = item;
  if (
    alias !== undefined ||
    value.kind !== 'binary' ||
    value.operator !== '=' ||
    value.left.kind !== 'column'
  )
    return item;
  return value.left.path.length === 1 ? { value: value.right, alias: value.left.path[0] } : item;
}

/** `*`, `source.*`, or `column.*` of a record. */
function allOf(
  { of, at }: Extract<Expression, { kind: 'star' }>,
  source: SourceShape,
  rows: RowScope,
): Column {
  if (of === undefined || source.prefixes.includes(of.toLowerCase())) {
    source.onField(['*']);
    return { kind: 'all', of: (frame) => frame.row };
  }
  const path = of.split('.');
  if (!rows.isNamed(path))
    source.onWarning(`${of}.* is all fields of the column ${of}: there is no source of this name`);
  return { kind: 'all', of: rows.column(path, at).run };
}

/** A column's last name, a function's own name, else the position. */
function defaultName(value: Expression, index: number): string {
  if (value.kind === 'column') return value.path.at(-1)!;
  if (value.kind === 'member') return value.name;
  if (value.kind === 'call') return value.name.split('.').at(-1)!.toLowerCase();
  return `column${index + 1}`;
}

function windowPlan({ id, spec }: NamedWindow, scope: Scope): WindowPlan {
  switch (spec.kind) {
    case 'tumbling':
    case 'hopping':
      return { kind: 'grid', id, grid: { sizeMs: spec.sizeMs, hopMs: spec.hopMs, offsetMs: spec.offsetMs } };
    case 'sliding':
      return { kind: 'sliding', id, sizeMs: spec.sizeMs };
    case 'snapshot':
      return { kind: 'sliding', id, sizeMs: 0 };
    case 'session': {
      const by = spec.partitionBy.map((one) => compileExpression(one, scope).run);
      const partition: Compiled['run'] | undefined =
        by.length === 0 ? undefined : (frame) => by.map((run) => run(frame));
      return { kind: 'session', id, shape: { timeoutMs: spec.timeoutMs, maxMs: spec.maxMs }, partition };
    }
  }
}

function reachOf(window: WindowPlan): number {
  if (window.kind === 'grid') return window.grid.sizeMs + window.grid.hopMs;
  return window.kind === 'sliding' ? window.sizeMs : 2 * window.shape.maxMs + window.shape.timeoutMs;
}

/** A session's row rests on all of it, and on the silence before. */
function sizeOf(window: WindowPlan): number {
  if (window.kind === 'grid') return window.grid.sizeMs;
  return window.kind === 'sliding' ? window.sizeMs : 2 * window.shape.maxMs + window.shape.timeoutMs;
}

function windowUse({ spec }: NamedWindow): WindowUse {
  switch (spec.kind) {
    case 'tumbling':
    case 'hopping': {
      const offset = spec.offsetMs === 0 ? {} : { offsetMs: spec.offsetMs };
      return { kind: spec.kind, sizeMs: spec.sizeMs, hopMs: spec.hopMs, ...offset };
    }
    case 'sliding':
      return { kind: 'sliding', sizeMs: spec.sizeMs };
    case 'snapshot':
      return { kind: 'snapshot', sizeMs: 0 };
    case 'session':
      return { kind: 'session', sizeMs: spec.timeoutMs, hopMs: spec.maxMs };
  }
}
