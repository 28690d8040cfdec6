// A running rule: rows wait until the watermark has passed them, go through the graph in the order of time, and come out
// with names that are the same at each repetition.
import { HoldfastError } from '../../../kernel/errors.ts';
import type {
  RuleCounts,
  RuleInputRow,
  RuleLimits,
  RuleRecord,
  RuleRow,
  RuleState,
  RunningRule,
  StepBound,
} from '../engine-api.ts';
import { plain, type RecordValue } from '../expressions/values.ts';
import { Budget, RowRefused } from './budget.ts';
import { decode, encode } from './codec.ts';
import { EventTimes } from './event-times.ts';
import { Graph, type Sink } from './graph.ts';
import { type MarkedStretch, MarkedTimes } from './marked-times.ts';
import { type DueRows, PendingRows } from './pending-rows.ts';
import type { InputPlan, RulePlan } from './plan.ts';
import { Work } from './work.ts';

/** A row with its own time, which rows of other inputs may still precede. */
interface Waiting {
  readonly time: number;
  /** Position of its input in the plan. */
  readonly of: number;
  readonly row: RecordValue;
}

/** An estimate of a waiting row's memory: to measure each row would cost more than the rule itself. */
const rowBytes = 256;

type Counts = { -readonly [Name in keyof RuleCounts]: number };

const noCounts: Counts = { rowsIn: 0, rowsOut: 0, refused: 0, adjusted: 0, dropped: 0, late: 0, failed: 0 };

export class Running implements RunningRule {
  readonly #plan: RulePlan;
  readonly #fingerprint: string;
  readonly #budget: Budget;
  readonly #graph: Graph;
  readonly #work = new Work();
  /** Times of rows that there was no room for. */
  readonly #refused = new MarkedTimes();
  readonly #inputNames: readonly string[];
  readonly #inputs: ReadonlyMap<string, readonly number[]>;
  /** By position of the input; `undefined` where the index is the time. */
  readonly #times: readonly (EventTimes | undefined)[];
  /** No row of any input waits for others but for its index. */
  readonly #isDirect: boolean;
  #counts: Counts = { ...noCounts };
  #problem: string | undefined;
  #watermark = Number.NEGATIVE_INFINITY;
  #lastInput: string | undefined;
  #lastPositions: readonly number[] | undefined;
  readonly #pending = new PendingRows();
  /** In the order of time, and of coming; those before `#head` are gone. */
  #waiting: Waiting[] = [];
  #head = 0;
  #rows: RuleRow[] = [];
  #lacking: readonly string[] = [];
  /** Rows of the latest time so far, by output and key. */
  #ordinals = new Map<string, number>();
  #latestTime = Number.NEGATIVE_INFINITY;

  constructor(plan: RulePlan, fingerprint: string, limits: Required<RuleLimits>) {
    this.#plan = plan;
    this.#fingerprint = fingerprint;
    this.#budget = new Budget(limits);
    const sink: Sink = (output, row, time, key, restsFrom) => this.#emit(output, row, time, key, restsFrom);
    this.#graph = new Graph(plan, this.#budget, this.#work, sink, (error, time) => this.#note(error, time));
    this.#inputNames = [...new Set(plan.inputs.map(({ input }) => input))].sort();
    this.#times = plan.inputs.map(({ time }) =>
      time === undefined ? undefined : new EventTimes(time, plan.order),
    );
    this.#isDirect = plan.inputs.every(({ time }) => time === undefined);
    const inputs = new Map<string, number[]>();
    for (const [position, { input }] of plan.inputs.entries())
      inputs.set(input, [...(inputs.get(input) ?? []), position]);
    this.#inputs = inputs;
  }

  push(input: string, origin: string, index: number, row: RuleInputRow): void {
    this.#counts.rowsIn++;
    if (index < this.#watermark) {
      this.#counts.late++;
      return;
    }
    if (this.#positionsOf(input) === undefined) return;
    this.#pending.push(input, origin, index, row);
  }

  /** The positions of an input in the plan. Cached, since it is nearly always the input of the last row. */
  #positionsOf(input: string): readonly number[] | undefined {
    if (input !== this.#lastInput) {
      this.#lastInput = input;
      this.#lastPositions = this.#inputs.get(input);
    }
    return this.#lastPositions;
  }

  advance(
    until: number,
    lacking: readonly string[] = [],
    knownFrom = Number.NEGATIVE_INFINITY,
    bound?: StepBound,
  ): readonly RuleRow[] {
    if (!(until > this.#watermark)) return [];
    this.#graph.know(lacking.length > 0 ? Number.POSITIVE_INFINITY : knownFrom);
    this.#lacking = lacking;
    this.#rows = [];
    this.#work.begin(bound);
    const due = this.#pending.take(until);
    if (this.#isDirect && this.#plan.inputs.length === 1) this.#pushAll(due);
    else this.#placeAll(due);
    this.#watermark = until;
    this.#settle(until);
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  /** Rows up to `until` are placed. */
  #settle(until: number): void {
    const settled = this.#settledUntil(until);
    this.#drain(settled);
    this.#graph.advanceTo(settled);
  }

  decidedUntil(): number {
    return this.#settledUntil(this.#watermark);
  }

  #settledUntil(until: number): number {
    return Math.min(until, ...this.#times.map((times) => times?.floor(until) ?? until));
  }

  /** Pushes rows where there is only one input, in the order of its index. */
  #pushAll({ count, indexes, rows }: DueRows): void {
    const { feeds, isWrapped, input } = this.#plan.inputs[0]!;
    const own = isWrapped ? rows.slice(0, count).map((row) => ({ [input]: row })) : rows;
    this.#graph.pushAll(feeds, own, indexes, count);
  }

  #placeAll({ count, indexes, rows, inputOf }: DueRows): void {
    for (let i = 0; i < count; i++) {
      const input = inputOf(i);
      // What waits for nothing any more makes room for what comes, just as if each row had come in a call of its own.
      if (!this.#isDirect && i > 0 && indexes[i]! > indexes[i - 1]!) this.#settle(indexes[i]!);
      for (const position of this.#positionsOf(input)!) this.#place(position, input, indexes[i]!, rows[i]!);
    }
  }

  #place(position: number, input: string, index: number, row: RuleInputRow): void {
    const { feeds, isWrapped } = this.#plan.inputs[position] as InputPlan;
    const own = isWrapped ? { [input]: row } : row;
    if (this.#isDirect) {
      this.#graph.push(feeds, own, index);
      return;
    }
    const times = this.#times[position];
    let time = index;
    try {
      const placed = times === undefined ? { time: index, done: 'kept' } : times.place(own, index);
      time = placed.time;
      if (placed.done === 'dropped') {
        this.#counts.dropped++;
        return;
      }
      if (placed.done === 'adjusted') this.#counts.adjusted++;
      this.#budget.takeRow(rowBytes);
      this.#wait({ time, of: position, row: own });
    } catch (error) {
      this.#note(error, time);
    }
  }

  /** Behind all of its time: nearly always at the end. */
  #wait(next: Waiting): void {
    const all = this.#waiting;
    let [low, high] = [this.#head, all.length];
    if (high > low && all[high - 1]!.time <= next.time) low = high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (all[middle]!.time <= next.time) low = middle + 1;
      else high = middle;
    }
    all.splice(low, 0, next);
  }

  #drain(settled: number): void {
    const all = this.#waiting;
    while (this.#head < all.length && all[this.#head]!.time < settled) {
      const { time, of, row } = all[this.#head++]!;
      this.#budget.giveRows(1, rowBytes);
      this.#graph.push(this.#plan.inputs[of]!.feeds, row, time);
    }
    // Cut off each time, a long row of them would be copied for each.
    if (this.#head > all.length / 2) {
      all.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #emit(output: string, row: RecordValue, time: number, key: string, restsFrom: number): void {
    if (time !== this.#latestTime) {
      this.#latestTime = time;
      this.#ordinals.clear();
    }
    const name = JSON.stringify([output, key]);
    const ordinal = this.#ordinals.get(name) ?? 0;
    this.#ordinals.set(name, ordinal + 1);
    this.#counts.rowsOut++;
    this.#work.out();
    // What it found at the time from which it rests was not refused, and a window does not hold its start.
    const isShort = this.#refused.has(restsFrom < time ? restsFrom + 1 : time, time);
    const all = isShort ? this.#inputNames : this.#lacking;
    const lacking = all.length === 0 ? {} : { lacking: all };
    this.#rows.push({ output, time, key, ordinal, row: plain(row) as RuleRecord, restsFrom, ...lacking });
  }

  #note(error: unknown, time: number): void {
    if (error instanceof RowRefused) {
      this.#counts.refused++;
      this.#refused.add(time);
    } else this.#counts.failed++;
    this.#problem = error instanceof Error ? error.message : String(error);
  }

  counts(): RuleCounts {
    return { ...this.#counts };
  }

  usage(): { keys: number; rows: number; bytes: number } {
    const { keys, rows, bytes } = this.#budget;
    const waiting = this.#pending.length;
    return { keys, rows: rows + waiting, bytes: bytes + waiting * rowBytes };
  }

  waiting(): number {
    return this.#pending.length;
  }

  lastProblem(): string | undefined {
    return this.#problem;
  }

  state(): RuleState {
    return {
      fingerprint: this.#fingerprint,
      watermark: Number.isFinite(this.#watermark) ? this.#watermark : null,
      counts: { ...this.#counts },
      pending: [...this.#pending.entries()].map(([index, input, origin, row]) => [
        ...[index, input, origin],
        encode(row),
      ]),
      waiting: this.#waiting.slice(this.#head).map(({ time, of, row }) => [time, of, encode(row)]),
      times: this.#times.map((times) => times?.save() ?? null),
      refused: this.#refused.save(),
      ordinals: [...this.#ordinals],
      latestTime: Number.isFinite(this.#latestTime) ? this.#latestTime : null,
      selects: this.#graph.save(),
    };
  }

  /** @throws HoldfastError `rule-state-invalid` */
  load(state: RuleState): void {
    if (state?.fingerprint !== this.#fingerprint)
      throw new HoldfastError(
        'rule-state-invalid',
        'the state is of another rule, or of another version of it: start anew',
      );
    try {
      this.#restore(state);
    } catch (cause) {
      throw new HoldfastError('rule-state-invalid', 'the state of the rule cannot be read: start anew', {
        cause,
      });
    }
  }

  #restore(state: RuleState): void {
    const { watermark, counts, pending, waiting, times, ordinals, latestTime, selects, refused } =
      state as unknown as SavedState;
    this.#watermark = watermark ?? Number.NEGATIVE_INFINITY;
    this.#counts = { ...noCounts, ...counts };
    for (const [index, input, origin, row] of pending)
      this.#pending.push(input, origin, index, decode(row) as RuleInputRow);
    this.#waiting = waiting.map(([time, of, row]) => ({ time, of, row: decode(row) as RecordValue }));
    this.#budget.addRows(waiting.length, waiting.length * rowBytes);
    this.#refused.load(refused);
    for (const [position, one] of this.#times.entries()) one?.load(times[position]);
    this.#ordinals = new Map(ordinals);
    this.#latestTime = latestTime ?? Number.NEGATIVE_INFINITY;
    this.#graph.load(selects);
  }
}

interface SavedState {
  readonly watermark: number | null;
  readonly counts: Counts;
  readonly pending: readonly [number, string, string, unknown][];
  readonly waiting: readonly [number, number, unknown][];
  readonly times: readonly unknown[];
  readonly refused?: readonly MarkedStretch[];
  readonly ordinals: readonly [string, number][];
  readonly latestTime: number | null;
  readonly selects: unknown;
}
