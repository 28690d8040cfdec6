// When a row happened, for inputs with TIMESTAMP BY a field that is not their index: what is out of order or late beyond the
// tolerance is moved to the earliest time allowed, or left out. The bound depends on the rows before alone, not on how they were cut into calls.
import type { EventOrder } from '../engine-api.ts';
import { Frame } from '../expressions/frame.ts';
import { parseDate, type RecordValue, RowProblem, toDate, type Value } from '../expressions/values.ts';
import { durationText } from '../language/duration-text.ts';
import type { InputPlan } from './plan.ts';

/**
 * Times are whole milliseconds here, and so are the ends of windows, which belong to their windows: what lies a part of a
 * millisecond behind an end is of the next window, so parts are rounded up.
 */
function eventTime(value: Value): number {
  const up = typeof value === 'string' ? parseDate(value, 'up') : undefined;
  return (up ?? toDate(value, 'TIMESTAMP BY')).getTime();
}

export class EventTimes {
  readonly #time: NonNullable<InputPlan['time']>;
  readonly #order: Required<EventOrder>;
  readonly #frame = new Frame();
  #latest = Number.NEGATIVE_INFINITY;

  constructor(time: NonNullable<InputPlan['time']>, order: Required<EventOrder>) {
    this.#time = time;
    this.#order = order;
  }

  /** Its time, and what was done to it. @throws RowProblem where it has none */
  place(
    row: RecordValue,
    index: number,
  ): { readonly time: number; readonly done: 'kept' | 'adjusted' | 'dropped' } {
    this.#frame.row = row;
    this.#frame.time = index;
    const value = this.#time(this.#frame);
    if (value === null) throw new RowProblem('the field of TIMESTAMP BY is missing');
    const time = eventTime(value);
    const { aheadMs } = this.#order;
    if (time > index + aheadMs)
      throw new RowProblem(`the time of TIMESTAMP BY is more than ${durationText(aheadMs)} ahead`);
    const floor = this.floor(index);
    if (time > this.#latest) this.#latest = time;
    if (time >= floor) return { time, done: 'kept' };
    return this.#order.policy === 'drop' ? { time, done: 'dropped' } : { time: floor, done: 'adjusted' };
  }

  /** No row with an index from `index` on is placed before it. */
  floor(index: number): number {
    return Math.max(this.#latest - this.#order.outOfOrderMs, index - this.#order.lateMs);
  }

  save(): unknown {
    return Number.isFinite(this.#latest) ? this.#latest : null;
  }

  load(saved: unknown): void {
    this.#latest = (saved as number | null) ?? Number.NEGATIVE_INFINITY;
  }
}
