// What types say before any row is there: what would fail for each row is an error of the query.
import { printExpression } from '../language/print.ts';
import { RuleQueryError } from '../language/query-error.ts';
import type { BinaryOperator, Expression } from '../language/tree.ts';
import type { Compiled } from './frame.ts';
import type { StaticType } from './values.ts';

type Typed = Pick<Compiled, 'type'>;

/** @throws RuleQueryError where it is surely none */
export function checkCondition({ type }: Typed, expression: Expression): void {
  if (type === 'any' || type === 'bit') return;
  throw new RuleQueryError(
    expression.at,
    `${printExpression(expression)} is no condition, but a ${type}`,
    'Compare it with something.',
  );
}

const kinds: Readonly<Record<StaticType, string | undefined>> = {
  any: undefined,
  bigint: 'number',
  float: 'number',
  bit: 'number',
  'nvarchar(max)': 'text',
  datetime: 'date',
  record: 'record',
  array: 'array',
};

/** @throws RuleQueryError where two never compare */
export function checkComparable(
  left: readonly [Typed, Expression],
  right: readonly [Typed, Expression],
): void {
  const [a, b] = [kinds[left[0].type], kinds[right[0].type]];
  const isDate = (one: string | undefined) => one === 'date' || one === 'text';
  const isFine = a === b ? a !== 'record' && a !== 'array' : isDate(a) && isDate(b);
  if (isFine || a === undefined || b === undefined) return;
  throw new RuleQueryError(
    left[1].at,
    `${printExpression(left[1])} (${left[0].type}) and ${printExpression(right[1])} (${right[0].type}) do not compare`,
    'Use CAST.',
  );
}

const arithmetic: readonly BinaryOperator[] = ['+', '-', '*', '/', '%'];

/** @throws RuleQueryError where a side is surely no number; texts are joined by + */
export function checkArithmetic(
  operator: BinaryOperator,
  left: readonly [Typed, Expression],
  right: readonly [Typed, Expression],
): void {
  if (!arithmetic.includes(operator)) return;
  const isText = ([{ type }]: readonly [Typed, Expression]) => type === 'any' || type === 'nvarchar(max)';
  if (operator === '+' && isText(left) && isText(right)) return;
  for (const [{ type }, expression] of [left, right]) {
    if (type === 'any' || kinds[type] === 'number') continue;
    throw new RuleQueryError(
      expression.at,
      `${operator} needs a number, and ${printExpression(expression)} is a ${type}`,
      kinds[type] === 'date' ? 'Dates have DATEADD and DATEDIFF.' : 'Use CAST.',
    );
  }
}
