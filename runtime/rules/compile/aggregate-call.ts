// Compiles aggregate calls: their names, their arguments, and the aggregates that they become.
import {
  type Aggregate,
  avg,
  collect,
  count,
  countDistinct,
  extreme,
  percentile,
  sum,
  top,
  variance,
} from '../engine/aggregates.ts';
import { checkCount, compileExpression, type Scope } from '../expressions/compile-expression.ts';
import type { Compiled } from '../expressions/frame.ts';
import { constantNumber } from '../expressions/units.ts';
import type { Value } from '../expressions/values.ts';
import { RuleQueryError } from '../language/query-error.ts';
import type { Call, Expression } from '../language/tree.ts';

const names = /^(?:COUNT|SUM|AVG|MIN|MAX|STDEVP?|VARP?|TOPONE|COLLECTTOP|COLLECT|PERCENTILE_(?:CONT|DISC))$/i;

/** What is collected by one group at most; more would not fit into a message. */
const maxCollected = 10_000;

export function isAggregate(expression: Expression): expression is Call {
  return expression.kind === 'call' && names.test(expression.name);
}

/** `COUNT(*) OVER (LIMIT DURATION ..)` looks back from each row, and is computed before GROUP BY. */
export function isAnalyticAggregate(call: Call): boolean {
  return call.over?.limit !== undefined;
}

/** `scope`: that of the rows which it sums up. @throws RuleQueryError */
export function aggregateOf(call: Call, scope: Scope): Aggregate {
  const { name, args, at, isDistinct } = call;
  const upper = name.toUpperCase();
  if (isDistinct && upper !== 'COUNT')
    throw new RuleQueryError(at, `${name}(DISTINCT ..) is not supported`, 'COUNT alone takes DISTINCT.');
  if (['TOPONE', 'COLLECTTOP', 'COLLECT', 'PERCENTILE_CONT', 'PERCENTILE_DISC'].includes(upper))
    return ordered(call, upper, scope);
  if (call.over !== undefined && !isAnalyticAggregate(call))
    throw new RuleQueryError(
      at,
      `OVER of ${name} needs LIMIT DURATION(unit, n)`,
      'Add it, or leave OVER out.',
    );
  checkCount(name, args.length, 1, 1, at);
  const [arg] = args;
  if (arg!.kind === 'star') {
    if (upper === 'COUNT' && !isDistinct) return count(undefined);
    throw new RuleQueryError(at, `${name}(*) has no meaning`, 'Name a column.');
  }
  const of = compileExpression(arg!, scope);
  switch (upper) {
    case 'COUNT':
      return isDistinct ? countDistinct(of.run) : count(of.run);
    case 'SUM':
      return sum(of);
    case 'AVG':
      return avg(of);
    case 'MIN':
      return extreme(of, -1);
    case 'MAX':
      return extreme(of, 1);
    default:
      return variance(upper, of.run, !upper.endsWith('P'), upper.startsWith('STDEV'));
  }
}

function ordered(call: Call, upper: string, scope: Scope): Aggregate {
  const { name, args, over, at } = call;
  const row: Compiled = { run: (frame) => frame.row, type: 'record' };
  const collected = (arg: Expression | undefined) =>
    arg === undefined || arg.kind === 'star' ? row : compileExpression(arg, scope);
  if (
    over !== undefined &&
    !isAnalyticAggregate(call) &&
    (over.partitionBy.length > 0 || over.when !== undefined)
  )
    throw new RuleQueryError(
      over.at,
      `OVER of ${name} takes ORDER BY alone`,
      'Add the key to GROUP BY, or LIMIT DURATION(unit, n).',
    );
  if (upper === 'COLLECT') {
    checkCount(name, args.length, 0, 1, at);
    return collect(collected(args[0]).run, 'array', (all) => all);
  }
  const terms = (over?.orderBy ?? []).map(({ by, isDescending }) => ({
    by: compileExpression(by, scope).run,
    isDescending,
  }));
  if (terms.length === 0)
    throw new RuleQueryError(
      at,
      `${name} needs OVER (ORDER BY ..)`,
      `Write ${name}(..) OVER (ORDER BY column DESC).`,
    );
  if (upper === 'TOPONE') {
    checkCount(name, args.length, 0, 1, at);
    const { run, type } = collected(args[0]);
    return top(run, 1, terms, type, ([best]) => best ?? null);
  }
  checkCount(name, args.length, 1, upper === 'COLLECTTOP' ? 2 : 1, at);
  const number = constantNumber(args[0]);
  if (upper === 'COLLECTTOP') {
    if (number === undefined || !Number.isInteger(number) || number < 1 || number > maxCollected)
      throw new RuleQueryError(
        at,
        `CollectTop takes a number from 1 to ${maxCollected}`,
        'Write CollectTop(10).',
      );
    return top(collected(args[1]).run, number, terms, 'array', ranked);
  }
  if (number === undefined || number < 0 || number > 1 || terms.length > 1)
    throw new RuleQueryError(
      at,
      `${name} takes a number from 0 to 1, and orders by one column`,
      'Write it as 0.5.',
    );
  return percentile(terms[0]!.by, number, terms[0]!.isDescending, upper === 'PERCENTILE_CONT');
}

function ranked(best: readonly Value[]): Value {
  return best.map((value, index) => ({ rank: index + 1, value }));
}
