// Resolves names after GROUP BY: keys, aggregates, and the window.
import type { Aggregate } from '../engine/aggregates.ts';
import type { Scope } from '../expressions/compile-expression.ts';
import { fieldOf } from '../expressions/compile-expression.ts';
import { type Compiled, timestamp } from '../expressions/frame.ts';
import type { Value } from '../expressions/values.ts';
import { RuleQueryError } from '../language/query-error.ts';
import type { Call, Expression, Position } from '../language/tree.ts';
import { aggregateOf, isAggregate } from './aggregate-call.ts';
import { isAnalytic } from './analytic-call.ts';
import { type RowScope, refuseNested } from './row-scope.ts';
import { isTimestamp } from './window-call.ts';

export class GroupScope implements Scope {
  readonly aggregates: Aggregate[] = [];
  readonly #rows: RowScope;
  readonly #keys: readonly { readonly text: string; readonly type: Compiled['type'] }[];
  readonly #slots = new Map<string, Compiled>();
  /** Columns of the SELECT by name in lower case: HAVING may name them. */
  aliases: ReadonlyMap<string, Compiled> = new Map();

  constructor(
    rows: RowScope,
    keys: readonly { readonly expression: Expression; readonly type: Compiled['type'] }[],
  ) {
    this.#rows = rows;
    this.#keys = keys.map(({ expression, type }) => ({ text: rows.textOf(expression), type }));
  }

  warn(text: string): void {
    this.#rows.warn(text);
  }

  column(path: readonly string[], at: Position): Compiled {
    if (/^System\.Timestamp$/i.test(path.join('.'))) return timestamp;
    const names = this.#rows.stripped(path);
    // A field of a record that is a key.
    for (let length = names.length - 1; length > 0; length--) {
      const index = this.#keys.findIndex(
        ({ text }) => text === names.slice(0, length).join('.').toLowerCase(),
      );
      const rest = names.slice(length);
      if (index >= 0)
        return {
          run: (frame) => rest.reduce<Value>((value, name) => fieldOf(value, name), frame.keys[index]!),
          type: 'any',
        };
    }
    const alias = names.length === 1 ? this.aliases.get(names[0]!.toLowerCase()) : undefined;
    if (alias !== undefined) return alias;
    throw new RuleQueryError(
      at,
      `${path.join('.')} has many values within a window`,
      `Add it to GROUP BY, or choose one: MAX(${path.join('.')}), TopOne() OVER (ORDER BY ..).`,
    );
  }

  known(expression: Expression): Compiled | undefined {
    // The row's own time, also where the rows are grouped by theirs.
    if (expression.kind === 'literal' || isTimestamp(expression)) return undefined;
    const text = this.#rows.textOf(expression);
    const key = this.#keys.findIndex((one) => one.text === text);
    if (key >= 0) return { run: (frame) => frame.keys[key]!, type: this.#keys[key]!.type };
    if (isAnalytic(expression))
      throw new RuleQueryError(
        expression.at,
        `${(expression as Call).name} looks back over rows, and stands where there are groups`,
        'Put the grouped SELECT into a step of WITH, and look back over that.',
      );
    if (!isAggregate(expression)) return undefined;
    const found = this.#slots.get(text);
    if (found !== undefined) return found;
    refuseNested(expression);
    const slot = this.aggregates.length;
    const aggregate = aggregateOf(expression, this.#rows);
    this.aggregates.push(aggregate);
    const compiled: Compiled = { run: (frame) => frame.aggregates[slot]!, type: aggregate.type };
    this.#slots.set(text, compiled);
    return compiled;
  }
}
