// The short form's hysteresis as state: off until `when` has held for the time of `for`, then on until `until` holds. What is unknown
// (a tag that was never seen) holds neither.
import type { Frame } from '../expressions/frame.ts';
import type { RecordValue, Value } from '../expressions/values.ts';
import { decode, encode } from './codec.ts';
import type { LatchPlan } from './plan.ts';

/** A row for one of its two outputs. */
export type EmitLatched = (output: string, time: number, row: RecordValue, restsFrom: number) => void;

export class Latch {
  readonly #plan: LatchPlan;
  #isOn = false;
  /** Since when `when` holds; `undefined` where it does not. */
  #since: number | undefined;
  #shown: RecordValue = {};
  /** Of all that spoke for it since then. */
  #restsFrom = Number.POSITIVE_INFINITY;

  constructor(plan: LatchPlan) {
    this.#plan = plan;
  }

  /** The frame's row. @throws RowProblem */
  next(frame: Frame, emit: EmitLatched): void {
    const { on, off, offOutput, shown } = this.#plan;
    const isOn = on(frame) === true;
    const isOff = off(frame) === true;
    if (this.#isOn) {
      if (!isOff) return;
      this.#isOn = false;
      this.#since = undefined;
      emit(offOutput, frame.time, this.#row('off', frame.time, valuesOf(shown, frame)), frame.restsFrom);
    }
    if (!isOn) {
      this.#since = undefined;
      this.#restsFrom = Number.POSITIVE_INFINITY;
    } else {
      this.#since ??= frame.time;
      this.#restsFrom = Math.min(this.#restsFrom, frame.restsFrom);
      this.#shown = valuesOf(shown, frame);
    }
  }

  #row(state: 'on' | 'off', since: number, values: RecordValue): RecordValue {
    return { state, since: new Date(since), values };
  }

  /** When it turns on if nothing speaks against it before, or at that time. */
  due(): number {
    return this.#isOn || this.#since === undefined
      ? Number.POSITIVE_INFINITY
      : this.#since + this.#plan.holdMs;
  }

  close(time: number, emit: EmitLatched): void {
    this.#isOn = true;
    emit(
      this.#plan.onOutput,
      time,
      this.#row('on', this.#since!, this.#shown),
      Math.min(this.#since!, this.#restsFrom),
    );
  }

  save(): unknown {
    const restsFrom = Number.isFinite(this.#restsFrom) ? this.#restsFrom : null;
    return [this.#isOn, this.#since ?? null, encode(this.#shown), restsFrom];
  }

  load(saved: unknown): void {
    const [isOn, since, shown, restsFrom] = saved as [boolean, number | null, unknown, number | null];
    this.#restsFrom = restsFrom ?? Number.POSITIVE_INFINITY;
    this.#isOn = isOn;
    this.#since = since ?? undefined;
    this.#shown = decode(shown) as RecordValue;
  }
}

function valuesOf(shown: LatchPlan['shown'], frame: Frame): RecordValue {
  const values: Record<string, Value> = {};
  for (const [name, run] of shown) values[name] = run(frame);
  return values;
}
