// Operators as closures. Null rules: arithmetic and comparison with null give null; AND, OR and NOT know true, false and unknown.
import type { BinaryOperator } from '../language/tree.ts';
import { bitwise, isBitOperator } from './bitwise.ts';
import type { Compiled, Condition, Frame } from './frame.ts';
import { compare, RowProblem, type StaticType, show, toNumber, typeName, type Value } from './values.ts';

type Arithmetic = '+' | '-' | '*' | '/' | '%';
type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=';

export function binary(operator: BinaryOperator, left: Compiled, right: Compiled): Compiled {
  if (operator === 'AND') return { run: and(condition(left), condition(right)), type: 'bit' };
  if (operator === 'OR') return { run: or(condition(left), condition(right)), type: 'bit' };
  if (isBitOperator(operator)) return bitwise(operator, left, right);
  if (operator in arithmetic) return arithmeticOf(operator as Arithmetic, left, right);
  return { run: comparison(operator as Comparison, left.run, right.run), type: 'bit' };
}

/** Bits are conditions; other values are not. */
export function condition({ run }: Compiled): Condition {
  return (frame) => {
    const value = run(frame);
    if (value === true || value === false || value === null) return value;
    throw new RowProblem(`${show(value)} (${typeName(value)}) is no condition: compare it with something`);
  };
}

function and(left: Condition, right: Condition): Condition {
  return (frame) => {
    const a = left(frame);
    if (a === false) return false;
    const b = right(frame);
    if (b === false) return false;
    return a === null || b === null ? null : true;
  };
}

function or(left: Condition, right: Condition): Condition {
  return (frame) => {
    const a = left(frame);
    if (a === true) return true;
    const b = right(frame);
    if (b === true) return true;
    return a === null || b === null ? null : false;
  };
}

export function not(of: Condition): Condition {
  return (frame) => {
    const value = of(frame);
    return value === null ? null : !value;
  };
}

const arithmetic: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

function arithmeticOf(operator: Arithmetic, left: Compiled, right: Compiled): Compiled {
  const type = numericType(left.type, right.type);
  const compute = operator === '/' ? division(type) : arithmetic[operator];
  const isDividing = operator === '/' || operator === '%';
  const run = (frame: Frame): Value => {
    const a = left.run(frame);
    const b = right.run(frame);
    if (a === null || b === null) return null;
    if (typeof a === 'string' && typeof b === 'string' && operator === '+') return a + b;
    const x = typeof a === 'number' ? a : toNumber(a, operator);
    const y = typeof b === 'number' ? b : toNumber(b, operator);
    if (isDividing && y === 0) throw new RowProblem(`${show(a)} is divided by zero`);
    const result = compute(x, y);
    if (!Number.isFinite(result))
      throw new RowProblem(`${show(a)} ${operator} ${show(b)} is too large for a number`);
    return result === 0 ? 0 : result;
  };
  return { run, type };
}

/** Whole by whole is whole: what is left of it is cut off, as in SQL. */
function division(type: StaticType): (a: number, b: number) => number {
  if (type === 'float') return (a, b) => a / b;
  if (type === 'bigint') return (a, b) => Math.trunc(a / b);
  return (a, b) => (Number.isInteger(a) && Number.isInteger(b) ? Math.trunc(a / b) : a / b);
}

function numericType(a: StaticType, b: StaticType): StaticType {
  if (a === 'float' || b === 'float') return 'float';
  return a === 'bigint' && b === 'bigint' ? 'bigint' : 'any';
}

const holds: Readonly<Record<Comparison, (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '<>': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

type Run = Compiled['run'];

export function isComparison(operator: BinaryOperator): operator is Comparison {
  return operator in holds;
}

/** Numbers first: nearly all are. */
function comparison(operator: Comparison, left: Run, right: Run): Condition {
  const test = holds[operator];
  return (frame) => {
    const a = left(frame);
    const b = right(frame);
    if (typeof a === 'number' && typeof b === 'number') return test(a - b);
    if (a === null || b === null) return null;
    return test(compare(a, b));
  };
}

export function negated({ run, type }: Compiled): Compiled {
  const negate = (frame: Frame): Value => {
    const value = run(frame);
    if (value === null) return null;
    const number = toNumber(value, '-');
    return number === 0 ? 0 : -number;
  };
  return { run: negate, type };
}

/** NULL in the list is unknown: nothing is surely not in it. */
export function isIn(of: Run, list: readonly Run[]): Condition {
  return (frame) => {
    const value = of(frame);
    if (value === null) return null;
    let hasNull = false;
    for (const each of list) {
      const one = each(frame);
      if (one === null) hasNull = true;
      else if (compare(value, one) === 0) return true;
    }
    return hasNull ? null : false;
  };
}

export function between(of: Run, low: Run, high: Run): Condition {
  return and(comparison('>=', of, low), comparison('<=', of, high));
}

/** The type of one of several values. */
export function commonType(types: readonly StaticType[]): StaticType {
  const [first = 'any'] = types;
  if (types.every((type) => type === first)) return first;
  const isNumeric = types.every((type) => type === 'float' || type === 'bigint' || type === 'any');
  return isNumeric && types.includes('float') ? 'float' : 'any';
}
