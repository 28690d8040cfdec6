// The short form's hysteresis as state: off until `when` has held for the time of `for`, then on until `until` holds. What is unknown
// (a tag that was never seen) holds neither.
//
// Where it turns on and rests on something that is not known, as right after a start, its row says so, and nobody acts on it. It
// then turns on a second time, within the same stretch, once `when` has held for as long by what is known: else nothing would ever
// be done about what began unseen.
import type { Frame } from '../expressions/frame.ts';
import type { RecordValue, Value } from '../expressions/values.ts';
import { decode, encode } from './codec.ts';
import type { LatchPlan } from './plan.ts';

/** A row for one of its two outputs. */
export type EmitLatched = (output: string, time: number, row: RecordValue, restsFrom: number) => void;

/** A stretch over which `when` holds. */
interface Stretch {
  readonly since: number;
  /** How far back the rows reach that have kept it on since then. */
  restsFrom: number;
}

export class Latch {
  readonly #plan: LatchPlan;
  #isOn = false;
  /** It was on, or is, by what is known. */
  #isSure = false;
  /** Where `when` holds. */
  #held: Stretch | undefined;
  /** The part of it in which it held by what is known. */
  #known: Stretch | undefined;
  #shown: RecordValue = {};
  #knownFrom = Number.NEGATIVE_INFINITY;

  constructor(plan: LatchPlan) {
    this.#plan = plan;
  }

  /** All is known from there on. */
  know(from: number): void {
    this.#knownFrom = from;
  }

  /** The frame's row. @throws RowProblem */
  next(frame: Frame, emit: EmitLatched): void {
    const { on, off, offOutput, shown } = this.#plan;
    const { time, restsFrom, onFrom } = frame;
    const isOn = on(frame) === true;
    const isOff = off(frame) === true;
    if (this.#isOn && isOff) {
      this.#isOn = false;
      this.#held = undefined;
      this.#known = undefined;
      emit(offOutput, time, this.#row('off', time, valuesOf(shown, frame)), restsFrom);
    }
    if (this.#isOn && this.#isSure) return;
    this.#held = isOn ? grown(this.#held, time, onFrom) : undefined;
    this.#known = isOn && onFrom >= this.#knownFrom ? grown(this.#stillKnown(), time, onFrom) : undefined;
    if (isOn) this.#shown = valuesOf(shown, frame);
  }

  #row(state: 'on' | 'off', since: number, values: RecordValue): RecordValue {
    return { state, since: new Date(since), values };
  }

  /** When it turns on if nothing speaks against it before, or at that time. */
  due(): number {
    const held = !this.#isOn ? this.#held : this.#isSure ? undefined : this.#known;
    return held === undefined ? Number.POSITIVE_INFINITY : held.since + this.#plan.holdMs;
  }

  close(time: number, emit: EmitLatched): void {
    this.#known = this.#stillKnown();
    const held = this.#isOn ? this.#known : this.#held;
    if (held === undefined) return;
    const from = Math.min(held.since, held.restsFrom);
    this.#isOn = true;
    this.#isSure = from >= this.#knownFrom;
    emit(this.#plan.onOutput, time, this.#row('on', held.since, this.#shown), from);
  }

  /** None where something since then is not known after all. */
  #stillKnown(): Stretch | undefined {
    const known = this.#known;
    return known !== undefined && known.restsFrom >= this.#knownFrom ? known : undefined;
  }

  save(): unknown {
    const held = [this.#held?.since ?? null, encode(this.#shown), this.#held?.restsFrom ?? null];
    return [this.#isOn, ...held, this.#isSure, this.#known?.since ?? null, this.#known?.restsFrom ?? null];
  }

  load(saved: unknown): void {
    const [isOn, since, shown, restsFrom, isSure, knownSince = null, knownFrom = null] = saved as [
      ...[boolean, number | null, unknown, number | null],
      ...[boolean | undefined, number | null | undefined, number | null | undefined],
    ];
    this.#isOn = isOn;
    // Of an engine that did not look: it is left as it is.
    this.#isSure = isSure ?? isOn;
    this.#held = since === null ? undefined : { since, restsFrom: restsFrom ?? since };
    this.#known = knownSince === null ? undefined : { since: knownSince, restsFrom: knownFrom ?? knownSince };
    this.#shown = decode(shown) as RecordValue;
  }
}

function grown(held: Stretch | undefined, since: number, restsFrom: number): Stretch {
  if (held === undefined) return { since, restsFrom };
  held.restsFrom = Math.min(held.restsFrom, restsFrom);
  return held;
}

function valuesOf(shown: LatchPlan['shown'], frame: Frame): RecordValue {
  const values: Record<string, Value> = {};
  for (const [name, run] of shown) values[name] = run(frame);
  return values;
}
