// Runs one SELECT: a row goes through APPLY, functions that look back, WHERE and the windows, and comes out as rows.
import { type Condition, Frame } from '../expressions/frame.ts';
import { keyOf, type RecordValue, setField, typeName, type Value } from '../expressions/values.ts';
import { type AnalyticFunction, startAnalytic } from './analytic.ts';
import type { Budget } from './budget.ts';
import { Cells, type GroupKey } from './cells.ts';
import { GridWindow } from './grid-window.ts';
import { Latch } from './latch.ts';
import type { ApplyPlan, Grouping, SelectPlan, WindowPlan } from './plan.ts';
import type { RowRun } from './row-run.ts';
import { SessionWindow } from './session-window.ts';
import { SlidingWindow } from './sliding-window.ts';
import type { GroupOf, MapKey, WindowOperator } from './window-port.ts';
import { StepOver, type Work } from './work.ts';

/** A row that a SELECT yields: to those that read it, and to `output`. `key`: of its group, as text. */
export type Emit = (
  row: RecordValue,
  time: number,
  key: string,
  output: string | undefined,
  restsFrom: number,
) => void;

interface OpenWindow {
  readonly id: string | null;
  readonly operator: WindowOperator;
}

const emptyKey: GroupKey = { values: [], text: '[]' };

export class SelectNode {
  readonly #plan: SelectPlan;
  readonly #emit: Emit;
  /** Told of each row that cannot be computed or taken. */
  readonly #onProblem: (error: unknown, time: number) => void;
  readonly #work: Work;
  readonly #where: Condition | undefined;
  readonly #frame = new Frame();
  readonly #analytics: readonly AnalyticFunction[];
  readonly #cells: Cells | undefined;
  readonly #windows: readonly OpenWindow[];
  readonly #latch: Latch | undefined;
  readonly #onAnalytics: number;
  readonly #hasAll: boolean;
  readonly #isTimed: boolean;
  /** Where a row goes into one window and nowhere else: most rules have such a SELECT, and most of their time goes by there. */
  readonly #only: WindowOperator | undefined;

  constructor(
    plan: SelectPlan,
    budget: Budget,
    work: Work,
    emit: Emit,
    onProblem: (error: unknown, time: number) => void,
  ) {
    this.#plan = plan;
    this.#work = work;
    this.#emit = emit;
    this.#hasAll = plan.columns.some(({ kind }) => kind === 'all');
    this.#onProblem = onProblem;
    this.#analytics = plan.analytics.map((one) => startAnalytic(one, budget));
    this.#latch = plan.latch === undefined ? undefined : new Latch(plan.latch);
    this.#onAnalytics = plan.latch?.onAnalytics ?? 0;
    const { grouping } = plan;
    this.#isTimed = plan.latch !== undefined || grouping !== undefined;
    if (grouping === undefined) this.#windows = [];
    else {
      const cells = new Cells(grouping.aggregates, budget);
      const groupOf = groupsBy(grouping.keys);
      this.#cells = cells;
      this.#windows = grouping.windows.map((window) => ({
        id: window.id,
        operator: openWindow(window, cells, groupOf, budget),
      }));
    }
    const isPlain = plan.analytics.length === 0 && plan.applies.length === 0 && plan.latch === undefined;
    this.#only = isPlain && this.#windows.length === 1 ? this.#windows[0]!.operator : undefined;
    this.#where = plan.where;
  }

  /** True where it can have something to close. */
  get isTimed(): boolean {
    return this.#isTimed;
  }

  /** All is known from there on. */
  know(from: number): void {
    this.#latch?.know(from);
  }

  /** `restsFrom`: nothing that the row rests on has an earlier time. */
  push(row: RecordValue, time: number, key: string, restsFrom: number): void {
    const frame = this.#frame;
    frame.row = row;
    frame.time = time;
    const only = this.#only;
    if (only !== undefined) {
      this.#intoOne(frame, only);
      return;
    }
    frame.restsFrom = restsFrom;
    frame.depthMs = time - restsFrom;
    try {
      for (let i = 0; i < this.#analytics.length; i++) {
        if (i === this.#onAnalytics) frame.onFrom = frame.restsFrom;
        frame.analytics[i] = this.#analytics[i]!.next(frame);
      }
      if (this.#analytics.length <= this.#onAnalytics) frame.onFrom = frame.restsFrom;
      if (this.#plan.applies.length === 0) this.#take(key);
      else this.#apply(0, key);
    } catch (error) {
      this.#fail(error, time);
    }
    if (this.#isTimed) this.#refreshDue();
  }

  /** Takes as many of the first rows of a run as can be taken at once. Returns the position of the next. */
  pushRun(run: RowRun): number {
    const only = this.#only;
    return only?.addRun === undefined || this.#where !== undefined ? run.from : only.addRun(this.#frame, run);
  }

  #intoOne(frame: Frame, only: WindowOperator): void {
    const where = this.#where;
    try {
      if (where === undefined || where(frame) === true) only.add(frame);
    } catch (error) {
      this.#fail(error, frame.time);
    }
    this.dueAt = only.dueAt;
  }

  /** Counts a row that failed; an error that ends the step is thrown again. */
  #fail(error: unknown, time: number): void {
    if (error instanceof StepOver) throw error;
    this.#onProblem(error, time);
  }

  #apply(index: number, key: string): void {
    const apply: ApplyPlan | undefined = this.#plan.applies[index];
    if (apply === undefined) {
      this.#take(key);
      return;
    }
    const value = apply.of(this.#frame);
    const rows = value === null ? [] : apply.rows(value);
    for (const row of rows.length === 0 && apply.isOuter ? [{}] : rows) {
      this.#work.look();
      this.#frame.applied[index] = row;
      this.#apply(index + 1, key);
    }
  }

  #take(key: string): void {
    const { where, grouping } = this.#plan;
    const frame = this.#frame;
    if (where !== undefined && where(frame) !== true) return;
    if (this.#latch !== undefined)
      this.#latch.next(frame, (output, time, row, from) => this.#emit(row, time, key, output, from));
    else if (grouping === undefined)
      this.#emit(this.#project(), frame.time, key, this.#plan.output, frame.restsFrom);
    else for (const { operator } of this.#windows) operator.add(frame);
  }

  #project(): RecordValue {
    const row: Record<string, Value> = {};
    for (const column of this.#plan.columns) {
      if (column.kind === 'value') {
        if (this.#hasAll && hasField(row, column.name)) continue;
        const value = column.run(this.#frame);
        if (column.name === '__proto__') setField(row, column.name, value);
        else row[column.name] = value;
      } else addAll(row, column.of(this.#frame));
    }
    return row;
  }

  /** When it next closes something. */
  dueAt = Number.POSITIVE_INFINITY;

  #refreshDue(): void {
    let due = this.#latch?.due() ?? Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#windows.length; i++) {
      const { dueAt } = this.#windows[i]!.operator;
      if (dueAt < due) due = dueAt;
    }
    this.dueAt = due;
  }

  /** Closes all that is due at `time`. */
  close(time: number): void {
    if (this.#latch?.due() === time)
      this.#latch.close(time, (output, at, row, from) => this.#emit(row, at, emptyKey.text, output, from));
    for (const { id, operator } of this.#windows)
      if (operator.dueAt === time)
        operator.close(time, (at, key, states) => this.#closeGroup(at, key, states, id));
    this.#refreshDue();
  }

  #closeGroup(time: number, key: GroupKey, states: readonly unknown[], id: string | null): void {
    this.#work.look();
    const frame = this.#frame;
    const { having, output } = this.#plan;
    frame.time = time;
    frame.keys = key.values;
    frame.windowId = id;
    try {
      frame.aggregates = this.#cells!.values(states);
      if (having !== undefined && having(frame) !== true) return;
      const text = id === null ? key.text : keyOf([...key.values, id]);
      this.#emit(this.#project(), time, text, output, time - this.#plan.restsMs);
    } catch (error) {
      this.#fail(error, time);
    }
  }

  save(): unknown {
    return [
      this.#analytics.map((one) => one.save()),
      this.#windows.map(({ operator }) => operator.save()),
      this.#latch?.save() ?? null,
    ];
  }

  load(saved: unknown): void {
    const [analytics, windows, latch] = saved as [unknown[], unknown[], unknown];
    for (const [index, one] of this.#analytics.entries()) one.load(analytics[index]);
    for (const [index, { operator }] of this.#windows.entries()) operator.load(windows[index]);
    this.#latch?.load(latch);
    this.#refreshDue();
  }
}

/** Of columns that have one name, as with `*`, the left one counts. */
function addAll(row: Record<string, Value>, from: Value): void {
  if (typeName(from) !== 'record') return;
  const isFirst = Object.keys(row).length === 0;
  for (const [name, value] of Object.entries(from as RecordValue))
    if (isFirst || !hasField(row, name)) setField(row, name, value ?? null);
}

function hasField(row: RecordValue, name: string): boolean {
  if (Object.hasOwn(row, name)) return true;
  const folded = name.toLowerCase();
  return Object.keys(row).some((each) => each.toLowerCase() === folded);
}

function openWindow(window: WindowPlan, cells: Cells, groupOf: GroupOf, budget: Budget): WindowOperator {
  switch (window.kind) {
    case 'grid':
      return new GridWindow(window.grid, cells, groupOf, budget);
    case 'sliding':
      return new SlidingWindow(window.sizeMs, cells, groupOf, budget);
    case 'session':
      return new SessionWindow(window.shape, window.partition, cells, groupOf, budget);
  }
}

/** One key that is a number, a bit or a text is found as it is; others by their text. */
function groupsBy(keys: Grouping['keys']): GroupOf {
  const [only] = keys;
  if (only === undefined) return { isSingle: true, mapKey: () => null, key: () => emptyKey };
  const valuesOf = (frame: Frame) => keys.map((run) => run(frame));
  const key = (frame: Frame): GroupKey => {
    const values = valuesOf(frame);
    return { values, text: keyOf(values) };
  };
  if (keys.length > 1) return { isSingle: false, mapKey: (frame) => keyOf(valuesOf(frame)), key };
  const mapKey = (frame: Frame): MapKey => {
    const value = only(frame);
    // A text may look like the text of a record: that begins with a character of its own.
    return value !== null && typeof value === 'object' ? `\0${keyOf(value)}` : value;
  };
  return { isSingle: false, mapKey, key };
}
