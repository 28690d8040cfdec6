// Compiles expression trees to closures, once, when a rule is compiled.
import { printExpression, takesUnit } from '../language/print.ts';
import { RuleQueryError } from '../language/query-error.ts';
import type { Call, Expression, Position } from '../language/tree.ts';
import { refuseCall } from '../language/unsupported.ts';
import { complement } from './bitwise.ts';
import { cast, castTypes, tryCast } from './cast.ts';
import { type Compiled, type Condition, type Frame, timestamp } from './frame.ts';
import { scalarFunctions } from './functions.ts';
import { dateAdd, dateDiff, dateName, datePart } from './functions-date.ts';
import { likeMatcher } from './like.ts';
import { between, binary, commonType, condition, isComparison, isIn, negated, not } from './operators.ts';
import type { ScalarFunction } from './scalar-function.ts';
import { checkArithmetic, checkComparable, checkCondition } from './static-types.ts';
import { unitOf } from './units.ts';
import { compare, RowProblem, toText, typeName, type Value } from './values.ts';

/** Where an expression stands, which decides what its names mean. */
export interface Scope {
  column(path: readonly string[], at: Position): Compiled;
  /** Aggregates, analytic functions and whole expressions that the place knows already; `undefined` for all others. */
  known(expression: Expression): Compiled | undefined;
  /** What is legal and may surprise. */
  warn?(text: string): void;
}

/** @throws RuleQueryError */
export function compileCondition(expression: Expression, scope: Scope): Condition {
  const compiled = compileExpression(expression, scope);
  checkCondition(compiled, expression);
  return condition(compiled);
}

/** @throws RuleQueryError */
export function compileExpression(expression: Expression, scope: Scope): Compiled {
  const known = scope.known(expression);
  if (known !== undefined) return known;
  const compile = (one: Expression) => compileExpression(one, scope);
  switch (expression.kind) {
    case 'literal': {
      const { value } = expression;
      const type = typeof value === 'number' ? (expression.isFloat ? 'float' : 'bigint') : typeName(value);
      return { run: () => value, type: value === null ? 'any' : (type as Compiled['type']) };
    }
    case 'column':
      return scope.column(expression.path, expression.at);
    case 'unary': {
      const of = compile(expression.of);
      if (expression.operator === 'NOT') {
        checkCondition(of, expression.of);
        return { run: not(condition(of)), type: 'bit' };
      }
      if (expression.operator === '~') return complement(of);
      return expression.operator === '-' ? negated(of) : of;
    }
    case 'binary': {
      const { operator } = expression;
      const left = [compile(expression.left), expression.left] as const;
      const right = [compile(expression.right), expression.right] as const;
      if (operator === 'AND' || operator === 'OR')
        for (const [of, part] of [left, right]) checkCondition(of, part);
      else if (isComparison(operator)) checkComparable(left, right);
      else checkArithmetic(operator, left, right);
      const compiled = binary(operator, left[0], right[0]);
      if (expression.operator === '/' && compiled.type !== 'float') scope.warn?.(divisionWarning(expression));
      return compiled;
    }
    case 'is-null': {
      const { run } = compile(expression.of);
      const { isNot } = expression;
      return { run: (frame) => (run(frame) === null) !== isNot, type: 'bit' };
    }
    case 'in': {
      const of = compile(expression.of);
      const list = expression.list.map((one) => [compile(one), one] as const);
      for (const one of list) checkComparable([of, expression.of], one);
      const test = isIn(
        of.run,
        list.map(([{ run }]) => run),
      );
      return { run: expression.isNot ? not(test) : test, type: 'bit' };
    }
    case 'between': {
      const [of, low, high] = [expression.of, expression.low, expression.high].map(
        (one) => [compile(one), one] as const,
      );
      for (const bound of [low!, high!]) checkComparable(of!, bound);
      const test = between(of![0].run, low![0].run, high![0].run);
      return { run: expression.isNot ? not(test) : test, type: 'bit' };
    }
    case 'like':
      return like(expression, compile);
    case 'case':
      return caseOf(expression, compile);
    case 'cast':
      return castOf(expression, compile);
    case 'member': {
      const { of, name } = expression;
      if (of.kind === 'call' && /^System\.Window$/i.test(of.name) && !/^Id$/i.test(name))
        throw new RuleQueryError(
          expression.at,
          `System.Window().${name} is not supported`,
          'It has Id; a window ends at System.Timestamp(), and begins where DATEADD takes its length off.',
        );
      const { run } = compile(of);
      return { run: (frame) => fieldOf(run(frame), name), type: 'any' };
    }
    case 'call':
      return call(expression, compile);
    case 'star':
      throw new RuleQueryError(expression.at, '* has no meaning here', 'Name the column.');
    case 'duration':
      throw new RuleQueryError(expression.at, 'a duration has no meaning here', 'Write (second, 10).');
  }
}

function divisionWarning(expression: Expression): string {
  return `${printExpression(expression)} is cut off to a whole number where both sides are whole: write 2.0, or CAST(x AS float), if that is not meant`;
}

type Compile = (expression: Expression) => Compiled;
type Of<Kind extends Expression['kind']> = Extract<Expression, { kind: Kind }>;

/** Exactly so named, else the one that differs in case. */
export function fieldOf(of: Value, name: string): Value {
  if (of === null || typeof of !== 'object' || of instanceof Date || Array.isArray(of)) return null;
  const record = of as Record<string, Value>;
  if (Object.hasOwn(record, name)) return record[name] ?? null;
  const folded = name.toLowerCase();
  for (const field in record)
    if (field.length === name.length && field.toLowerCase() === folded) return record[field] ?? null;
  return null;
}

/** The time that it takes grows with the product of both lengths. */
const maxLikeText = 65_536;

function like({ of, pattern, escape: escapedBy, isNot }: Of<'like'>, compile: Compile): Compiled {
  const [text, by, mark] = [of, pattern, escapedBy].map((one) =>
    one === undefined ? undefined : compile(one).run,
  );
  let last:
    | { readonly pattern: Value; readonly mark: Value; readonly matches: (text: string) => boolean }
    | undefined;
  const run = (frame: Frame): Value => {
    const value = text!(frame);
    const wanted = by!(frame);
    const escaping = mark?.(frame) ?? null;
    if (value === null || wanted === null) return null;
    // Nearly always a literal: made once.
    if (last?.pattern !== wanted || last.mark !== escaping)
      last = {
        pattern: wanted,
        mark: escaping,
        matches: likeMatcher(
          toText(wanted, 'LIKE'),
          escaping === null ? undefined : toText(escaping, 'ESCAPE'),
        ),
      };
    const whole = toText(value, 'LIKE');
    if (whole.length > maxLikeText) throw new RowProblem(`LIKE takes texts up to ${maxLikeText} characters`);
    return last.matches(whole) !== isNot;
  };
  return { run, type: 'bit' };
}

function caseOf({ of, whens, otherwise }: Of<'case'>, compile: Compile): Compiled {
  const known = of === undefined ? undefined : ([compile(of), of] as const);
  const subject = known?.[0].run;
  const branches = whens.map(({ when, result }) => {
    const compiled = compile(when);
    if (known === undefined) checkCondition(compiled, when);
    else checkComparable(known, [compiled, when]);
    return { when: compiled.run, test: condition(compiled), result: compile(result) };
  });
  const last = otherwise === undefined ? undefined : compile(otherwise);
  const types = [...branches.map(({ result }) => result.type), ...(last === undefined ? [] : [last.type])];
  const run = (frame: Frame): Value => {
    const value = subject?.(frame) ?? null;
    for (const branch of branches) {
      if (subject === undefined) {
        if (branch.test(frame) === true) return branch.result.run(frame);
      } else {
        const one = branch.when(frame);
        if (value !== null && one !== null && compare(value, one) === 0) return branch.result.run(frame);
      }
    }
    return last === undefined ? null : last.run(frame);
  };
  return { run, type: commonType(types) };
}

function castOf({ of, type: name, isTry, at }: Of<'cast'>, compile: Compile): Compiled {
  const type = castTypes.get(name);
  if (type === undefined)
    throw new RuleQueryError(
      at,
      `there is no type ${name}`,
      `Types are ${[...castTypes.keys()].join(', ')}.`,
    );
  const { run } = compile(of);
  return { run: isTry ? (frame) => tryCast(run(frame), type) : (frame) => cast(run(frame), type), type };
}

function call(expression: Call, compile: Compile): Compiled {
  const { name, args, over, isDistinct, at } = expression;
  const upper = name.toUpperCase();
  const dated = dateCall(upper, args, at, compile);
  if (dated !== undefined) return dated;
  if (upper === 'COALESCE') return coalesce(args.map(compile), at);
  if (upper === 'NULLIF') return nullIf(args.map(compile), at);
  if (upper === 'SYSTEM.TIMESTAMP') return timestamp;
  if (upper === 'SYSTEM.WINDOW') return { run: (frame) => ({ Id: frame.windowId }), type: 'record' };
  const scalar = scalarFunctions.get(upper);
  if (scalar === undefined) refuseCall(expression);
  if (over !== undefined || isDistinct)
    throw new RuleQueryError(at, `${name} takes neither OVER nor DISTINCT`, 'Leave it out.');
  checkCount(name, args.length, scalar.least, scalar.most, at);
  const compiled = args.map(compile);
  // A whole number looks the same as a float; what is known of the expression tells.
  if (upper === 'GETTYPE' && compiled[0]!.type === 'float')
    return { run: (frame) => (compiled[0]!.run(frame) === null ? null : 'float'), type: 'nvarchar(max)' };
  return scalarCall(scalar, compiled);
}

export function checkCount(name: string, count: number, least: number, most: number, at: Position): void {
  if (count >= least && count <= most) return;
  const wanted = least === most ? `${least}` : `${least} to ${most}`;
  throw new RuleQueryError(
    at,
    `${name} takes ${wanted} argument${wanted === '1' ? '' : 's'}, and has ${count}`,
    'docs/RULES.md lists all functions.',
  );
}

function scalarCall({ run, takesNulls, type: named }: ScalarFunction, args: readonly Compiled[]): Compiled {
  const type = named === 'first' ? args[0]!.type : named;
  const [first, second] = args.map((arg) => arg.run);
  if (args.length === 1 && !takesNulls)
    return {
      type,
      run: (frame) => {
        const a = first!(frame);
        return a === null ? null : run(a);
      },
    };
  if (args.length === 2 && !takesNulls)
    return {
      type,
      run: (frame) => {
        const a = first!(frame);
        const b = second!(frame);
        return a === null || b === null ? null : run(a, b);
      },
    };
  return {
    type,
    run: (frame) => {
      const values = args.map((arg) => arg.run(frame));
      return !takesNulls && values.includes(null) ? null : run(...values);
    },
  };
}

function coalesce(args: readonly Compiled[], at: Position): Compiled {
  checkCount('COALESCE', args.length, 1, 64, at);
  const run = (frame: Frame): Value => {
    for (const arg of args) {
      const value = arg.run(frame);
      if (value !== null) return value;
    }
    return null;
  };
  return { run, type: commonType(args.map(({ type }) => type)) };
}

/** The first, unless both are equal. */
function nullIf(args: readonly Compiled[], at: Position): Compiled {
  checkCount('NULLIF', args.length, 2, 2, at);
  const [first, second] = args as [Compiled, Compiled];
  const run = (frame: Frame): Value => {
    const [a, b] = [first.run(frame), second.run(frame)];
    return a !== null && b !== null && compare(a, b) === 0 ? null : a;
  };
  return { run, type: first.type };
}

/** Functions whose first argument is a unit of time. */
function dateCall(
  name: string,
  args: readonly Expression[],
  at: Position,
  compile: Compile,
): Compiled | undefined {
  if (!takesUnit(name) || name === 'ISFIRST') return undefined;
  const isOfTwo = name === 'DATEADD' || name === 'DATEDIFF';
  checkCount(name, args.length, isOfTwo ? 3 : 2, isOfTwo ? 3 : 2, at);
  const unit = unitOf(args[0], at, true);
  const [a, b] = args.slice(1).map((arg) => compile(arg).run);
  const nullable = (compute: (x: Value, y: Value) => Value) => (frame: Frame) => {
    const x = a!(frame);
    const y = b === undefined ? 0 : b(frame);
    return x === null || y === null ? null : compute(x, y);
  };
  if (name === 'DATEADD') return { run: nullable((count, to) => dateAdd(unit, count, to)), type: 'datetime' };
  if (name === 'DATEDIFF') return { run: nullable((from, to) => dateDiff(unit, from, to)), type: 'bigint' };
  if (name === 'DATEPART') return { run: nullable((of) => datePart(unit, of)), type: 'bigint' };
  return { run: nullable((of) => dateName(unit, of)), type: 'nvarchar(max)' };
}
