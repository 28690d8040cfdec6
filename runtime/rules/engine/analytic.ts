// Functions that look back from a row over those before it, before WHERE: LAG, LAST, ISFIRST, and aggregates OVER (LIMIT DURATION ..).
// What is remembered is kept for each partition, and no longer than the duration says.
import type { Compiled, Condition, Frame } from '../expressions/frame.ts';
import { keyOf, type StaticType, sizeOf, type Value } from '../expressions/values.ts';
import type { Aggregate } from './aggregates.ts';
import type { Budget } from './budget.ts';
import { Cells } from './cells.ts';
import { decode, encode } from './codec.ts';
import { TwoStacks } from './two-stacks.ts';

export interface AnalyticPlan {
  readonly kind: 'lag' | 'last' | 'is-first' | 'aggregate';
  readonly type: StaticType;
  readonly partition: readonly Compiled['run'][];
  readonly limitMs: number;
  readonly when: Condition | undefined;
  /** The value of LAG and LAST. */
  readonly value: Compiled['run'];
  readonly offset: number;
  readonly otherwise: Compiled['run'];
  readonly aggregate: Aggregate | undefined;
  /** For LAST: where nothing is found, its reader gets an unknown value; what is decided all the same does not rest on it. */
  readonly isOpen?: boolean;
}

export interface AnalyticFunction {
  /** The frame's row: what it sees, then it remembers the row. @throws RowProblem, RowRefused */
  next(frame: Frame): Value;
  save(): unknown;
  load(saved: unknown): void;
}

export function startAnalytic(plan: AnalyticPlan, budget: Budget): AnalyticFunction {
  if (plan.kind === 'is-first') return new Remembering(plan, budget, new FirstOf(plan));
  if (plan.kind === 'aggregate') return new Remembering(plan, budget, new SumOf(plan, budget));
  return new Remembering(plan, budget, new PastOf(plan, budget));
}

/** What a kind of function remembers of one partition. */
interface Memory<Of> {
  create(): Of;
  /** @throws RowProblem, RowRefused */
  next(of: Of, frame: Frame, isMeant: boolean): Value;
  lastTime(of: Of): number;
  drop(of: Of): void;
  save(of: Of): unknown;
  load(saved: unknown): Of;
}

/** Looks back to `time`; a row of a step there rests on what lies before it, as the frame's own row does. */
function restsOn(frame: Frame, time: number): void {
  const from = time - frame.depthMs;
  if (from < frame.restsFrom) frame.restsFrom = from;
}

const partitionBytes = 160;

class Remembering<Of> implements AnalyticFunction {
  readonly #plan: AnalyticPlan;
  readonly #budget: Budget;
  readonly #memory: Memory<Of>;
  readonly #partitions = new Map<string | number, Of>();
  /** At this many partitions those are let go of whose time is over. */
  #sweepAt = 64;

  constructor(plan: AnalyticPlan, budget: Budget, memory: Memory<Of>) {
    this.#plan = plan;
    this.#budget = budget;
    this.#memory = memory;
  }

  next(frame: Frame): Value {
    const { when } = this.#plan;
    const isMeant = when === undefined || when(frame) === true;
    const partition = this.#partition(frame);
    const found = this.#partitions.get(partition);
    if (found !== undefined) return this.#memory.next(found, frame, isMeant);
    const fresh = this.#memory.create();
    // A partition without anything to remember is not kept.
    if (!isMeant) return this.#memory.next(fresh, frame, false);
    this.#makeRoom(frame.time);
    try {
      const value = this.#memory.next(fresh, frame, true);
      this.#partitions.set(partition, fresh);
      return value;
    } catch (error) {
      this.#budget.giveKey(partitionBytes);
      throw error;
    }
  }

  #partition(frame: Frame): string | number {
    const by = this.#plan.partition;
    if (by.length === 0) return '';
    if (by.length > 1) return keyOf(by.map((run) => run(frame)));
    const value = by[0]!(frame);
    return typeof value === 'number' ? value : keyOf(value);
  }

  #makeRoom(time: number): void {
    if (this.#partitions.size >= this.#sweepAt || this.#budget.keys >= this.#budget.limits.maxKeys) {
      for (const [name, of] of this.#partitions) {
        if (this.#memory.lastTime(of) > time - this.#plan.limitMs) continue;
        this.#memory.drop(of);
        this.#partitions.delete(name);
        this.#budget.giveKey(partitionBytes);
      }
      this.#sweepAt = Math.max(64, this.#partitions.size * 2);
    }
    this.#budget.takeKey(partitionBytes);
  }

  save(): unknown {
    return [this.#sweepAt, [...this.#partitions].map(([name, of]) => [name, this.#memory.save(of)])];
  }

  load(saved: unknown): void {
    const [sweepAt, partitions] = saved as [number, [string | number, unknown][]];
    this.#sweepAt = sweepAt;
    for (const [name, of] of partitions) {
      this.#budget.takeKey(partitionBytes);
      this.#partitions.set(name, this.#memory.load(of));
    }
  }
}

interface Past {
  readonly time: number;
  readonly value: Value;
  readonly bytes: number;
}

/** LAG: the rows that WHEN means, before this one, newest last. LAST: those and this one. */
class PastOf implements Memory<Past[]> {
  readonly #plan: AnalyticPlan;
  readonly #budget: Budget;

  constructor(plan: AnalyticPlan, budget: Budget) {
    this.#plan = plan;
    this.#budget = budget;
  }

  create(): Past[] {
    return [];
  }

  next(past: Past[], frame: Frame, isMeant: boolean): Value {
    const { offset, limitMs, kind } = this.#plan;
    const current = isMeant ? this.#plan.value(frame) : null;
    const entry = past.length < offset ? undefined : past[past.length - offset];
    const isThere = entry !== undefined && entry.time > frame.time - limitMs;
    const before = isThere ? entry.value : this.#plan.otherwise(frame);
    if (isMeant) this.#remember(past, frame.time, current);
    if (kind === 'last' && isMeant) return current;
    if (!isThere && this.#plan.isOpen) return before;
    // Between the row that was found and this one was no other; where none was found, none was in all of the time.
    restsOn(frame, isThere ? entry.time : frame.time - limitMs);
    return before;
  }

  #remember(past: Past[], time: number, value: Value): void {
    const bytes = 48 + sizeOf(value);
    if (past.length < this.#plan.offset) this.#budget.takeRow(bytes);
    else {
      const gone = past.shift()!;
      this.#budget.giveRows(1, gone.bytes);
      this.#budget.addRows(1, bytes);
    }
    past.push({ time, value, bytes });
  }

  lastTime(past: Past[]): number {
    return past.at(-1)?.time ?? Number.NEGATIVE_INFINITY;
  }

  drop(past: Past[]): void {
    for (const { bytes } of past) this.#budget.giveRows(1, bytes);
  }

  save(past: Past[]): unknown {
    return past.map(({ time, value, bytes }) => [time, encode(value), bytes]);
  }

  load(saved: unknown): Past[] {
    return (saved as [number, unknown, number][]).map(([time, value, bytes]) => {
      this.#budget.addRows(1, bytes);
      return { time, value: decode(value), bytes };
    });
  }
}

/** ISFIRST: the end of the last stretch of time with a row. Stretches are as tumbling windows are. */
class FirstOf implements Memory<{ end: number }> {
  readonly #limitMs: number;

  constructor({ limitMs }: AnalyticPlan) {
    this.#limitMs = limitMs;
  }

  create(): { end: number } {
    return { end: Number.NEGATIVE_INFINITY };
  }

  next(of: { end: number }, frame: Frame, isMeant: boolean): Value {
    if (!isMeant) return 0;
    const end = Math.ceil(frame.time / this.#limitMs) * this.#limitMs;
    if (end === of.end) return 0;
    of.end = end;
    restsOn(frame, end - this.#limitMs);
    return 1;
  }

  lastTime({ end }: { end: number }): number {
    return end;
  }

  drop(): void {}

  save({ end }: { end: number }): unknown {
    return end;
  }

  load(saved: unknown): { end: number } {
    return { end: saved as number };
  }
}

/** An aggregate over the rows that WHEN means, up to this one. */
class SumOf implements Memory<TwoStacks> {
  readonly #cells: Cells;
  readonly #limitMs: number;

  constructor({ aggregate, limitMs }: AnalyticPlan, budget: Budget) {
    this.#cells = new Cells([aggregate!], budget);
    this.#limitMs = limitMs;
  }

  create(): TwoStacks {
    return new TwoStacks(this.#cells);
  }

  next(stacks: TwoStacks, frame: Frame, isMeant: boolean): Value {
    if (isMeant) {
      this.#cells.read(frame);
      this.#cells.add(stacks.cellAt(frame.time));
    }
    stacks.evict(frame.time - this.#limitMs);
    restsOn(frame, frame.time - this.#limitMs);
    return this.#cells.values(stacks.merged())[0]!;
  }

  lastTime(stacks: TwoStacks): number {
    return stacks.lastTime;
  }

  drop(stacks: TwoStacks): void {
    stacks.drop();
  }

  save(stacks: TwoStacks): unknown {
    return stacks.save();
  }

  load(saved: unknown): TwoStacks {
    const stacks = this.create();
    stacks.load(saved);
    return stacks;
  }
}
