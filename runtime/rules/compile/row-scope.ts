// Resolves names before GROUP BY: fields of the row, fields of rows of APPLY, and functions that look back.
import type { AnalyticPlan } from '../engine/analytic.ts';
import { fieldOf, type Scope } from '../expressions/compile-expression.ts';
import { type Compiled, type Frame, timestamp } from '../expressions/frame.ts';
import { type StaticType, toDate, type Value } from '../expressions/values.ts';
import { printExpression, walkExpression } from '../language/print.ts';
import { RuleQueryError } from '../language/query-error.ts';
import type { Call, Expression, Position } from '../language/tree.ts';
import { isAggregate } from './aggregate-call.ts';
import { analyticOf, isAnalytic } from './analytic-call.ts';

/** Where a SELECT's rows come from, as far as names go. */
export interface SourceShape {
  /** Names that may stand before a column, in lower case. */
  readonly prefixes: readonly string[];
  /** By dotted name in lower case. */
  readonly typeOf: (dotted: string) => StaticType;
  /** Fields that are the row's time, whatever the row has there; in lower case. */
  readonly timeFields: ReadonlySet<string>;
  /** The field that TIMESTAMP BY names, by dotted name in lower case: a text in it is a date. */
  readonly dateField?: string | undefined;
  /** All columns that its rows have, by name in lower case, as they are written; undefined where it is not known. */
  readonly columns?: ReadonlyMap<string, string> | undefined;
  /** Told of each field that is read, as it is written; `*` for all. */
  readonly onField: (path: readonly string[]) => void;
  readonly onWarning: (text: string) => void;
}

/** Columns that an error names. */
const maxShown = 20;

export class RowScope implements Scope {
  readonly analytics: AnalyticPlan[] = [];
  readonly #source: SourceShape;
  readonly #applied: readonly string[];
  readonly #slots = new Map<string, Compiled>();
  #isWithinAnalytic = false;

  /** `applied`: aliases of APPLY in lower case. */
  constructor(source: SourceShape, applied: readonly string[]) {
    this.#source = source;
    this.#applied = applied;
  }

  /** The path within the row, without the source's name. */
  stripped(path: readonly string[]): readonly string[] {
    return path.length > 1 && this.#source.prefixes.includes(path[0]!.toLowerCase()) ? path.slice(1) : path;
  }

  /** The first name is that of the source or of an APPLY. */
  isNamed([first = '']: readonly string[]): boolean {
    return [...this.#source.prefixes, ...this.#applied].includes(first.toLowerCase());
  }

  /** The one text of equal expressions. */
  textOf(expression: Expression): string {
    return printExpression(expression, (path) => this.stripped(path).join('.').toLowerCase());
  }

  column(path: readonly string[], at: Position): Compiled {
    if (/^System\.Timestamp$/i.test(path.join('.'))) return timestamp;
    const applied = this.#applied.indexOf(path[0]!.toLowerCase());
    if (applied >= 0) return { run: pathOf((frame) => frame.applied[applied]!, path.slice(1)), type: 'any' };
    const names = this.stripped(path);
    const dotted = names.join('.').toLowerCase();
    this.#source.onField(names);
    this.#checkColumn(names[0]!, at);
    if (this.#source.timeFields.has(dotted)) return timestamp;
    const run = pathOf((frame) => frame.row, names);
    if (dotted === this.#source.dateField) return { run: (frame) => dateOf(run(frame)), type: 'datetime' };
    return { run, type: this.#source.typeOf(dotted) };
  }

  /** Throws for a name that rows cannot have: rows of an input have what its source reads, rows of a step what it selects. */
  #checkColumn(name: string, at: Position): void {
    const { columns } = this.#source;
    if (columns === undefined || columns.has(name.toLowerCase())) return;
    throw new RuleQueryError(
      at,
      `the step has no column ${name}`,
      `It has: ${[...columns.values()].slice(0, maxShown).join(', ')}.`,
    );
  }

  warn(text: string): void {
    this.#source.onWarning(text);
  }

  known(expression: Expression): Compiled | undefined {
    if (isAnalytic(expression)) return this.#analytic(expression as Call);
    if (isAggregate(expression))
      throw new RuleQueryError(
        expression.at,
        `${expression.name} needs a window`,
        'Add GROUP BY with a window such as TumblingWindow(second, 10); in WHERE use HAVING, or OVER (LIMIT DURATION(second, 10)).',
      );
    return undefined;
  }

  #analytic(call: Call): Compiled {
    if (this.#isWithinAnalytic)
      throw new RuleQueryError(
        call.at,
        `${call.name} stands within another one that looks back`,
        'Make a step of WITH of it.',
      );
    const text = this.textOf(call);
    const found = this.#slots.get(text);
    if (found !== undefined) return found;
    this.#isWithinAnalytic = true;
    try {
      const slot = this.analytics.length;
      const plan = analyticOf(call, aggregateArguments(this, call));
      this.analytics.push(plan);
      const compiled: Compiled = { run: (frame) => frame.analytics[slot]!, type: plan.type };
      this.#slots.set(text, compiled);
      return compiled;
    } finally {
      this.#isWithinAnalytic = false;
    }
  }
}

const dateOf = (value: Value) => (value === null ? null : toDate(value, 'TIMESTAMP BY'));

/** `SUM(x) OVER (..)`: the call itself is known already, its arguments are of the row. */
function aggregateArguments(scope: RowScope, call: Expression): Scope {
  return {
    column: (path, at) => scope.column(path, at),
    warn: (text) => scope.warn(text),
    known: (expression) => (expression === call ? undefined : scope.known(expression)),
  };
}

/** What plain objects, and arrays, have by themselves is no field. */
const inherited = new Set([...Object.getOwnPropertyNames(Object.prototype), 'length']);
const isNoField = (name: string) => inherited.has(name) || /^\d+$/.test(name);

function pathOf(of: (frame: Frame) => Value, names: readonly string[]): Compiled['run'] {
  const [first, second] = names;
  if (first === undefined) return of;
  if (names.some(isNoField))
    return (frame) => names.reduce<Value>((value, name) => fieldOf(value, name), of(frame));
  if (second === undefined) return (frame) => step(of(frame), first);
  if (names.length === 2) return (frame) => lastStep(step(of(frame), first), second);
  return (frame) => {
    let value = of(frame);
    for (const name of names) value = step(value, name);
    return value;
  };
}

function step(of: Value, name: string): Value {
  if (typeof of !== 'object' || of === null) return null;
  const value = (of as { readonly [field: string]: Value | undefined })[name];
  // Dates and arrays have no fields, and functions alone by themselves.
  return value !== undefined && typeof value !== 'function' ? value : fieldOf(of, name);
}

/** The same at a place of its own: what a place in the code sees again and again is found at once, and field names differ by their depth. */
function lastStep(of: Value, name: string): Value {
  if (typeof of !== 'object' || of === null) return null;
  const value = (of as { readonly [field: string]: Value | undefined })[name];
  return value !== undefined && typeof value !== 'function' ? value : fieldOf(of, name);
}

/** @throws RuleQueryError where an aggregate stands within another one */
export function refuseNested(expression: Expression): void {
  for (const inner of walkExpression(expression))
    if (inner !== expression && isAggregate(inner) && !isAnalytic(inner))
      throw new RuleQueryError(
        inner.at,
        `${inner.name} stands within another aggregate`,
        'Make a step of WITH of it.',
      );
}
