// The SELECTs of a rule as one machine: rows in, in the order of time; windows close in the order of time, and those that feed others before
// these, so that a step's row at t is in its reader's window that ends at t.
import type { RecordValue } from '../expressions/values.ts';
import type { Budget } from './budget.ts';
import type { RulePlan } from './plan.ts';
import { type Emit, SelectNode } from './select-node.ts';
import type { Work } from './work.ts';

/** A row cannot be computed or taken; `time`: its own. */
export type OnProblem = (error: unknown, time: number) => void;

/** A row for an output. */
export type Sink = (output: string, row: RecordValue, time: number, key: string, restsFrom: number) => void;

export class Graph {
  readonly #nodes: readonly SelectNode[];
  readonly #timed: readonly SelectNode[];
  /** Where there is one. */
  readonly #only: SelectNode | undefined;
  readonly #work: Work;
  /** When the first of them next closes something. */
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(plan: RulePlan, budget: Budget, work: Work, sink: Sink, onProblem: OnProblem) {
    this.#work = work;
    const nodes: SelectNode[] = [];
    for (const select of plan.selects) {
      const emit: Emit = (row, time, key, output, restsFrom) => {
        if (output !== undefined) sink(output, row, time, key, restsFrom);
        for (const reader of select.feeds) nodes[reader]!.push(row, time, key, restsFrom);
      };
      nodes.push(new SelectNode(select, budget, work, emit, onProblem));
    }
    this.#nodes = nodes;
    this.#timed = nodes.filter(({ isTimed }) => isTimed);
    this.#only = nodes.length === 1 ? nodes[0] : undefined;
  }

  /** From `from` on everything is known, for what is pushed and closed next. */
  know(from: number): void {
    for (const node of this.#timed) node.know(from);
  }

  /** One row of an input, never before one that was given. Windows that end before `time` are closed first. */
  push(feeds: readonly number[], row: RecordValue, time: number): void {
    this.#work.look();
    if (this.#dueAt < time) this.advanceTo(time);
    const only = this.#only;
    if (only !== undefined) {
      only.push(row, time, '[]', time);
      this.#dueAt = only.dueAt;
      return;
    }
    for (let i = 0; i < feeds.length; i++) this.#nodes[feeds[i]!]!.push(row, time, '[]', time);
    this.#refreshDue();
  }

  /** As `push`, for many. */
  pushAll(
    feeds: readonly number[],
    rows: readonly RecordValue[],
    times: readonly number[],
    to: number,
  ): void {
    const only = this.#only;
    for (let from = 0; from < to; ) {
      // What closes before comes first; what is due later than the last row's time is not closed by any of them.
      if (only !== undefined && times[from]! <= this.#dueAt) from = only.pushRun({ rows, times, from, to });
      if (from < to) this.push(feeds, rows[from]!, times[from++]!);
    }
  }

  #refreshDue(): void {
    let due = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#timed.length; i++) {
      const one = this.#timed[i]!.dueAt;
      if (one < due) due = one;
    }
    this.#dueAt = due;
  }

  /** Closes what ends before `time`: rows at `time` itself may still come. */
  advanceTo(time: number): void {
    while (this.#dueAt < time) {
      const due = this.#dueAt;
      for (const node of this.#timed) if (node.dueAt === due) node.close(due);
      this.#refreshDue();
    }
  }

  save(): unknown {
    return this.#nodes.map((node) => node.save());
  }

  load(saved: unknown): void {
    for (const [index, node] of this.#nodes.entries()) node.load((saved as unknown[])[index]);
    this.#refreshDue();
  }
}
