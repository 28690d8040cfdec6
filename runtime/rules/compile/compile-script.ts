// Compiles a whole query to its plan: which SELECT reads which, sorted so that each comes after those that feed it.
import type { InputPlan, SelectPlan } from '../engine/plan.ts';
import type { RuleInput, WindowUse } from '../engine-api.ts';
import { compileExpression } from '../expressions/compile-expression.ts';
import { commonType } from '../expressions/operators.ts';
import type { StaticType } from '../expressions/values.ts';
import { printExpression, walkExpression } from '../language/print.ts';
import { RuleQueryError } from '../language/query-error.ts';
import type { Expression, Position, Query, Script, Select, Source } from '../language/tree.ts';
import { compileSelect } from './compile-select.ts';
import { RowScope, type SourceShape } from './row-scope.ts';
import { isTimestamp } from './window-call.ts';

export interface CompiledScript {
  readonly inputs: readonly InputPlan[];
  readonly selects: readonly SelectPlan[];
  readonly outputs: readonly string[];
  readonly windows: readonly WindowUse[];
  /** As `CompiledRule.rowsForOne`. */
  readonly rowsForOne: number;
  /** By input: `null` where its index is the time. */
  readonly timestampBy: Readonly<Record<string, string | null>>;
  /** That TIMESTAMP BY names. */
  readonly timeFields: readonly { readonly input: string; readonly field: string; readonly at: Position }[];
  readonly warnings: readonly string[];
  /** Types of the columns of each output, by their names; an output whose columns are not known has none. */
  readonly columns: ReadonlyMap<string, ReadonlyMap<string, StaticType>>;
  /** By input. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
}

/** Rows that one row may become on its way, where steps read each other more than once. */
const maxFanOut = 256;

interface Step {
  readonly name: string;
  /** Positions of its selects. */
  readonly selects: readonly number[];
  readonly types: ReadonlyMap<string, StaticType>;
  /** By name in lower case, as they are written; undefined where it is not known. */
  readonly columns: ReadonlyMap<string, string> | undefined;
}

/** @throws RuleQueryError */
export function compileScript(script: Script, inputs: Readonly<Record<string, RuleInput>>): CompiledScript {
  return new ScriptCompiler(inputs).compile(script);
}

class ScriptCompiler {
  readonly #configured: Readonly<Record<string, RuleInput>>;
  /** `text` is the same for equal expressions, `shown` is for people. */
  readonly #inputs: { readonly plan: InputPlan; readonly text: string; readonly shown: string | null }[] = [];
  readonly #selects: SelectPlan[] = [];
  readonly #fanOut: number[] = [];
  /** By position: its rows are those of windows. */
  readonly #windowed: boolean[] = [];
  readonly #steps: Step[] = [];
  readonly #windows: WindowUse[] = [];
  readonly #fields = new Map<string, Set<string>>();
  readonly #warnings = new Set<string>();
  /** Columns of each output; undefined where they are not known. */
  readonly #columns = new Map<string, Map<string, StaticType> | undefined>();
  readonly #timeFields: { readonly input: string; readonly field: string; readonly at: Position }[] = [];

  constructor(configured: Readonly<Record<string, RuleInput>>) {
    this.#configured = configured;
  }

  compile({ steps, statements }: Script): CompiledScript {
    for (const { name, query, at } of steps) {
      if (this.#stepNamed(name) !== undefined || this.#inputNamed(name) !== undefined)
        throw new RuleQueryError(at, `${name} is the name of another step or input`, 'Choose another one.');
      this.#steps.push({ name, ...this.#query(query, undefined) });
    }
    for (const statement of statements) {
      const named = statement.selects.find(({ into }) => into !== undefined)?.into;
      this.#query(statement, named ?? 'output');
    }
    const outputs = [...new Set(this.#selects.flatMap(({ output }) => output ?? []))];
    const fields = Object.fromEntries([...this.#fields].map(([input, names]) => [input, [...names].sort()]));
    const inputs = this.#inputs.map(({ plan }) => plan);
    const direct = [...this.#selects.keys()].filter(
      (at) => this.#selects[at]!.output !== undefined && !this.#windowed[at],
    );
    const isBounded = this.#selects.every(({ applies }) => applies.length === 0);
    const timestampBy = Object.fromEntries(this.#inputs.map(({ plan, shown }) => [plan.input, shown]));
    return {
      inputs,
      timestampBy,
      timeFields: this.#timeFields,
      selects: this.#selects,
      columns: new Map([...this.#columns].flatMap(([name, all]) => (all === undefined ? [] : [[name, all]]))),
      outputs,
      windows: this.#windows,
      rowsForOne: isBounded
        ? direct.reduce((sum, at) => sum + this.#fanOut[at]!, 0)
        : Number.POSITIVE_INFINITY,
      warnings: [...this.#warnings],
      fields,
    };
  }

  /** `output`: where its rows go out, unless a SELECT names another; `undefined` for a step. */
  #query({ selects }: Query, output: string | undefined): Omit<Step, 'name'> {
    const types = new Map<string, StaticType>();
    const all: { readonly at: Position; readonly columns: ReadonlyMap<string, string> | undefined }[] = [];
    const positions = selects.map((select) => {
      if (output === undefined && select.into !== undefined)
        throw new RuleQueryError(
          select.at,
          'a step of WITH has INTO',
          'Leave it out: INTO stands in the statements below.',
        );
      const into = output === undefined ? undefined : (select.into ?? output);
      const { position, columnTypes, allColumns } = this.#select(select, into);
      all.push({ at: select.at, columns: allColumns });
      if (into !== undefined) this.#goOut(into, allColumns, columnTypes);
      for (const [name, type] of columnTypes) types.set(name, commonType([types.get(name) ?? type, type]));
      return position;
    });
    return { selects: positions, types, columns: unionOf(all) };
  }

  #goOut(
    output: string,
    columns: ReadonlyMap<string, string> | undefined,
    types: ReadonlyMap<string, StaticType>,
  ): void {
    const known = this.#columns.has(output) ? this.#columns.get(output) : new Map<string, StaticType>();
    if (columns === undefined || known === undefined) {
      this.#columns.set(output, undefined);
      return;
    }
    for (const [name, written] of columns) {
      const type = types.get(name) ?? 'any';
      known.set(written, commonType([known.get(written) ?? type, type]));
    }
    this.#columns.set(output, known);
  }

  #select(select: Select, output: string | undefined) {
    const { shape, connect, reachMs, restsMs, fanOut, isWindowed } = this.#source(select.from);
    const { plan, ownReachMs, ownRestsMs, windows, columnTypes, allColumns } = compileSelect(select, shape);
    const position = this.#selects.length;
    this.#selects.push({
      ...plan,
      reachMs: reachMs + ownReachMs,
      restsMs: restsMs + ownRestsMs,
      ...(output === undefined ? {} : { output }),
    });
    this.#windows.push(...windows);
    this.#fanOut.push(plan.grouping === undefined ? fanOut : 1);
    this.#windowed.push(plan.grouping !== undefined || (isWindowed && plan.applies.length === 0));
    connect(position);
    return { position, columnTypes, allColumns };
  }

  #source(source: Source) {
    if (typeof source.of !== 'string') {
      const step = this.#query(source.of, undefined);
      return this.#fromSteps(source, step, source.alias === undefined ? [] : [source.alias]);
    }
    const names = [source.of, ...(source.alias === undefined ? [] : [source.alias])];
    const step = this.#stepNamed(source.of);
    if (step !== undefined) return this.#fromSteps(source, step, names);
    const input = this.#inputNamed(source.of);
    if (input === undefined) throw this.#unknown(source.of, source.at);
    return this.#fromInput(source, input, names);
  }

  #unknown(name: string, at: Position): RuleQueryError {
    const known = [...this.#steps.map((step) => step.name), ...Object.keys(this.#configured)];
    return new RuleQueryError(
      at,
      `there is no step and no input ${name}`,
      known.length === 0 ? 'There are none.' : `There are: ${known.join(', ')}.`,
    );
  }

  #fromSteps(source: Source, step: Omit<Step, 'name'>, names: readonly string[]) {
    if (source.timestampBy !== undefined)
      throw new RuleQueryError(
        source.timestampBy.at,
        'TIMESTAMP BY stands with a step',
        'It belongs to the input, where that is first read.',
      );
    const shape: SourceShape = {
      prefixes: names.map((name) => name.toLowerCase()),
      typeOf: (dotted) => step.types.get(dotted) ?? 'any',
      timeFields: new Set(),
      columns: step.columns,
      onField: () => {},
      onWarning: (text) => void this.#warnings.add(text),
    };
    const fanOut = step.selects.reduce((sum, position) => sum + this.#fanOut[position]!, 0);
    if (fanOut > maxFanOut)
      throw new RuleQueryError(
        source.at,
        `one row would become ${fanOut} rows`,
        'Steps read each other too often: simplify them.',
      );
    const connect = (position: number) => {
      for (const from of step.selects) this.#selects[from]!.feeds.push(position);
    };
    const selects = step.selects.map((position) => this.#selects[position]!);
    const reachMs = Math.max(0, ...selects.map((select) => select.reachMs));
    const restsMs = Math.max(0, ...selects.map((select) => select.restsMs));
    const isWindowed = step.selects.every((from) => this.#windowed[from]);
    return { shape, connect, reachMs, restsMs, fanOut, isWindowed };
  }

  #fromInput(source: Source, input: string, names: readonly string[]) {
    const { indexField = 'time', types = {} } = this.#configured[input]!;
    const byName = new Map(Object.entries(types).map(([name, type]) => [name.toLowerCase(), type]));
    const fields = this.#fieldsOf(input);
    const timeFields = new Set([indexField, ...arrivalFields].map((name) => name.toLowerCase()));
    const isByIndex = source.timestampBy === undefined || isField(source.timestampBy, names, timeFields);
    const shape: SourceShape = {
      prefixes: names.map((name) => name.toLowerCase()),
      typeOf: (dotted) => byName.get(dotted) ?? 'any',
      timeFields: isByIndex ? timeFields : new Set(),
      dateField: isByIndex ? undefined : ownField(source.timestampBy, names),
      onField: (path) => void fields.add(path.join('.')),
      onWarning: (text) => void this.#warnings.add(text),
    };
    const timestampBy = isByIndex ? undefined : uncast(source.timestampBy!);
    const plan = this.#inputPlan(input, timestampBy, shape);
    const connect = (position: number) => void plan.feeds.push(position);
    return { shape, connect, reachMs: 0, restsMs: 0, fanOut: 1, isWindowed: false };
  }

  #fieldsOf(input: string): Set<string> {
    const fields = this.#fields.get(input) ?? new Set<string>();
    this.#fields.set(input, fields);
    return fields;
  }

  #inputPlan(input: string, timestampBy: Expression | undefined, shape: SourceShape): InputPlan {
    // As it stands in the row: of a text each digit counts.
    const scope = new RowScope({ ...shape, dateField: undefined }, []);
    const text = timestampBy === undefined ? '' : scope.textOf(timestampBy);
    const found = this.#inputs.find(({ plan, text: other }) => plan.input === input && other === text);
    if (found !== undefined) return found.plan;
    const time = timestampBy === undefined ? undefined : compileExpression(timestampBy, scope).run;
    if (scope.analytics.length > 0)
      throw new RuleQueryError(
        timestampBy!.at,
        'TIMESTAMP BY looks back',
        `${printExpression(timestampBy!)} must be of the row alone.`,
      );
    for (const one of timestampBy === undefined ? [] : walkExpression(timestampBy))
      if (one.kind === 'column') {
        const field = scope.stripped(one.path).join('.');
        if (!shape.timeFields.has(field.toLowerCase())) this.#timeFields.push({ input, field, at: one.at });
      }
    const plan: InputPlan = { input, time, isWrapped: false, feeds: [] };
    const shown = timestampBy === undefined ? null : printExpression(timestampBy);
    this.#inputs.push({ plan, text, shown });
    return plan;
  }

  #stepNamed(name: string): Step | undefined {
    return this.#steps.find((step) => step.name.toLowerCase() === name.toLowerCase());
  }

  /** As the configuration spells it. */
  #inputNamed(name: string): string | undefined {
    const all = Object.keys(this.#configured);
    return all.find((one) => one === name) ?? all.find((one) => one.toLowerCase() === name.toLowerCase());
  }
}

/** @throws RuleQueryError where parts of a UNION have other columns than the first one: what reads it would find NULL */
function unionOf(
  parts: readonly { readonly at: Position; readonly columns: ReadonlyMap<string, string> | undefined }[],
): ReadonlyMap<string, string> | undefined {
  const [first, ...others] = parts;
  if (parts.some(({ columns }) => columns === undefined)) return undefined;
  for (const { at, columns } of others) {
    const [one, other] = [first!.columns!, columns!];
    const missing = [...one].find(([name]) => !other.has(name))?.[1];
    const more = [...other].find(([name]) => !one.has(name))?.[1];
    if (missing ?? more)
      throw new RuleQueryError(
        at,
        `this part of the UNION ${missing ? `lacks the column ${missing}` : `has a column more: ${more}`}`,
        'Parts of a UNION have the same columns: write NULL AS name where there is no value.',
      );
  }
  return first!.columns;
}

/** What Stream Analytics calls the time of arrival: here a reading's index. */
const arrivalFields = ['EventEnqueuedUtcTime', 'EventProcessedUtcTime'];

function isField(expression: Expression, names: readonly string[], fields: ReadonlySet<string>): boolean {
  if (isTimestamp(expression)) return true;
  if (expression.kind !== 'column') return false;
  const { path } = expression;
  const isPrefixed = path.length === 2 && names.some((name) => name.toLowerCase() === path[0]!.toLowerCase());
  const own = isPrefixed ? path.slice(1) : path;
  return own.length === 1 && fields.has(own[0]!.toLowerCase());
}

/** A text is a date there anyway, to its last digit. */
function uncast(expression: Expression): Expression {
  return expression.kind === 'cast' && expression.type === 'datetime' && expression.of.kind === 'column'
    ? expression.of
    : expression;
}

/** The field that TIMESTAMP BY names as it is, dotted, in lower case: it is a date in all of the query. */
function ownField(expression: Expression | undefined, names: readonly string[]): string | undefined {
  if (expression?.kind !== 'column') return undefined;
  const path = expression.path.map((name) => name.toLowerCase());
  const isPrefixed = path.length > 1 && names.some((name) => name.toLowerCase() === path[0]);
  return (isPrefixed ? path.slice(1) : path).join('.');
}
