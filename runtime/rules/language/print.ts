// Prints syntax trees: for people, and as one canonical text that equal expressions share.
import type { Expression, Over } from './tree.ts';

/** `column`: how a column is written. Equal trees give equal texts. */
export function printExpression(
  expression: Expression,
  column: (path: readonly string[]) => string = (path) => path.join('.'),
): string {
  const print = (one: Expression) => printExpression(one, column);
  const list = (all: readonly Expression[]) => all.map(print).join(', ');
  switch (expression.kind) {
    case 'literal':
      return typeof expression.value === 'string'
        ? `'${expression.value.replaceAll("'", "''")}'`
        : `${expression.value}${expression.isFloat && Number.isInteger(expression.value) ? '.0' : ''}`;
    case 'duration':
      return `${expression.ms} ms`;
    case 'column':
      return column(expression.path);
    case 'star':
      return expression.of === undefined ? '*' : `${expression.of}.*`;
    case 'call': {
      const over = expression.over === undefined ? '' : ` ${printOver(expression.over, print)}`;
      const distinct = expression.isDistinct ? 'DISTINCT ' : '';
      return `${expression.name.toUpperCase()}(${distinct}${list(expression.args)})${over}`;
    }
    case 'member':
      return `${print(expression.of)}.${expression.name}`;
    case 'unary':
      return `${expression.operator} (${print(expression.of)})`;
    case 'binary':
      return `(${print(expression.left)} ${expression.operator} ${print(expression.right)})`;
    case 'is-null':
      return `(${print(expression.of)} IS${expression.isNot ? ' NOT' : ''} NULL)`;
    case 'in':
      return `(${print(expression.of)}${expression.isNot ? ' NOT' : ''} IN (${list(expression.list)}))`;
    case 'like': {
      const escaped = expression.escape === undefined ? '' : ` ESCAPE ${print(expression.escape)}`;
      return `(${print(expression.of)}${expression.isNot ? ' NOT' : ''} LIKE ${print(expression.pattern)}${escaped})`;
    }
    case 'between':
      return `(${print(expression.of)}${expression.isNot ? ' NOT' : ''} BETWEEN ${print(expression.low)} AND ${print(expression.high)})`;
    case 'case': {
      const whens = expression.whens.map(({ when, result }) => `WHEN ${print(when)} THEN ${print(result)}`);
      const of = expression.of === undefined ? '' : ` ${print(expression.of)}`;
      const otherwise = expression.otherwise === undefined ? '' : ` ELSE ${print(expression.otherwise)}`;
      return `CASE${of} ${whens.join(' ')}${otherwise} END`;
    }
    case 'cast':
      return `${expression.isTry ? 'TRY_CAST' : 'CAST'}(${print(expression.of)} AS ${expression.type})`;
  }
}

function printOver(over: Over, print: (one: Expression) => string): string {
  const parts: string[] = [];
  if (over.partitionBy.length > 0) parts.push(`PARTITION BY ${over.partitionBy.map(print).join(', ')}`);
  if (over.orderBy.length > 0)
    parts.push(
      `ORDER BY ${over.orderBy.map(({ by, isDescending }) => `${print(by)} ${isDescending ? 'DESC' : 'ASC'}`).join(', ')}`,
    );
  if (over.limit !== undefined)
    parts.push(`LIMIT DURATION(${print(over.limit.unit)}, ${print(over.limit.size)})`);
  if (over.when !== undefined) parts.push(`WHEN ${print(over.when)}`);
  return `OVER (${parts.join(' ')})`;
}

/** Its first argument is a unit of time, which looks like a column. */
export function takesUnit(name: string): boolean {
  return /^(DATEADD|DATEDIFF|DATEPART|DATENAME|ISFIRST)$/i.test(name);
}

/** All expressions within one, and itself; not the units of time. */
export function* walkExpression(expression: Expression): Generator<Expression> {
  const todo: Expression[] = [expression];
  for (let one = todo.pop(); one !== undefined; one = todo.pop()) {
    yield one;
    todo.push(...partsOf(one));
  }
}

function partsOf(one: Expression): readonly Expression[] {
  const some = (...parts: readonly (Expression | undefined)[]) => parts.filter((part) => part !== undefined);
  switch (one.kind) {
    case 'call':
      return some(
        ...(takesUnit(one.name) ? one.args.slice(1) : one.args),
        ...(one.over === undefined ? [] : overParts(one.over)),
      );
    case 'member':
    case 'unary':
    case 'is-null':
    case 'cast':
      return [one.of];
    case 'binary':
      return [one.left, one.right];
    case 'in':
      return [one.of, ...one.list];
    case 'like':
      return some(one.of, one.pattern, one.escape);
    case 'between':
      return [one.of, one.low, one.high];
    case 'case':
      return some(one.of, one.otherwise, ...one.whens.flatMap(({ when, result }) => [when, result]));
    default:
      return [];
  }
}

function overParts({ partitionBy, orderBy, when }: Over): readonly Expression[] {
  return [...partitionBy, ...orderBy.map(({ by }) => by), ...(when === undefined ? [] : [when])];
}
