// Compiles analytic functions, which look back: LAG, LAST, ISFIRST, and aggregates OVER (LIMIT DURATION ..).
import type { AnalyticPlan } from '../engine/analytic.ts';
import {
  checkCount,
  compileCondition,
  compileExpression,
  type Scope,
} from '../expressions/compile-expression.ts';
import type { Compiled } from '../expressions/frame.ts';
import { constantNumber, durationOf } from '../expressions/units.ts';
import { RuleQueryError } from '../language/query-error.ts';
import type { Call, Expression } from '../language/tree.ts';
import { aggregateOf, isAggregate, isAnalyticAggregate } from './aggregate-call.ts';
import { maxWindowMs } from './window-call.ts';

/** Events that LAG can go back. */
const maxOffset = 1000;

/** Then it is a call. */
export function isAnalytic(expression: Expression): boolean {
  if (expression.kind !== 'call') return false;
  if (/^(?:LAG|LAST|ISFIRST)$/i.test(expression.name)) return true;
  return isAggregate(expression) && isAnalyticAggregate(expression);
}

/** `scope`: that of the rows, in which no analytic function stands. @throws RuleQueryError */
export function analyticOf(call: Call, scope: Scope): AnalyticPlan {
  const { name, args, over, at } = call;
  const upper = name.toUpperCase();
  const isFirst = upper === 'ISFIRST';
  if (over?.limit === undefined && !isFirst)
    throw new RuleQueryError(
      at,
      `${name} needs OVER (LIMIT DURATION(unit, n))`,
      'It says how far back is looked, and bounds what is kept.',
    );
  if (isFirst && over?.limit !== undefined)
    throw new RuleQueryError(
      over.at,
      `${name} takes no LIMIT`,
      `Its arguments say how long it counts: ${name}(second, 10).`,
    );
  if (isFirst) checkCount(name, args.length, 2, 2, at);
  const limitMs = isFirst
    ? durationOf(args[0], args[1], at)
    : durationOf(over!.limit!.unit, over!.limit!.size, at);
  if (limitMs > maxWindowMs)
    throw new RuleQueryError(at, `${name} looks back for more than 7 days`, 'At most 7 days are taken.');
  const shared = {
    partition: (over?.partitionBy ?? []).map((by) => compileExpression(by, scope).run),
    limitMs,
    when: over?.when === undefined ? undefined : compileCondition(over.when, scope),
  };
  const nothing: Compiled['run'] = () => null;
  const rest = { value: nothing, offset: 1, otherwise: nothing, aggregate: undefined };
  if (isFirst) return { ...shared, ...rest, kind: 'is-first', type: 'bigint' };
  if (isAggregate(call)) {
    const aggregate = aggregateOf(call, scope);
    return { ...shared, ...rest, kind: 'aggregate', type: aggregate.type, aggregate };
  }
  // LAST(x, d) is LAG(x, 0, d).
  checkCount(name, args.length, 1, upper === 'LAG' ? 3 : 2, at);
  const [of, ...more] = args;
  const [offsetArg, defaultArg] = upper === 'LAG' ? more : [undefined, ...more];
  const value: Compiled =
    of!.kind === 'star' ? { run: (frame) => frame.row, type: 'record' } : compileExpression(of!, scope);
  const offset = offsetArg === undefined ? 1 : constantNumber(offsetArg);
  if (offset === undefined || !Number.isInteger(offset) || offset < 1 || offset > maxOffset)
    throw new RuleQueryError(
      offsetArg!.at,
      `the offset of LAG is a number from 1 to ${maxOffset}`,
      'Write it out.',
    );
  const otherwise = defaultArg === undefined ? nothing : compileExpression(defaultArg, scope).run;
  return {
    ...shared,
    ...rest,
    kind: upper === 'LAG' ? 'lag' : 'last',
    type: defaultArg === undefined ? value.type : 'any',
    value: value.run,
    offset,
    otherwise,
  };
}
