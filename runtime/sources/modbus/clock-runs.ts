// The parts of an event log within which its times grow. There is more than one where the equipment's clock was set
// back while it recorded: the same times then stand in the log twice, and a search by time, which halves what is left,
// could end in the wrong part and take it for all there is.
//
// A step back is found from evidence: a few records, evenly spaced, are looked at whenever the log is read, and every
// record that is read is compared with the one before it. So each step is found that is larger than the time between
// two of the spaced records, and each that lies within what is read. What stays hidden is a smaller step elsewhere in
// the log; equipment whose clock is set back often is better ordered by its record numbers (`index: sequence`).
import { HoldfastError } from '../../../kernel/errors.ts';
import type { LogRange } from './record-log.ts';

/** Epoch ms of a record; undefined where it was overwritten meanwhile. */
export type TimeOf = (number: number) => Promise<number | undefined>;

const mostSpaced = 16;
/** Of a small log few: on a bad line each request is one more that may be lost. */
const recordsEach = 16;
const maxSteps = 16;

export class ClockRuns {
  /** Numbers of records whose time lies before that of the record before them, in order. */
  #steps: readonly number[] = [];
  /** Records do not change: what was looked at once is known until it is overwritten. */
  #times = new Map<number, number>();

  /** Record `number` shows an earlier time than the one before it. @throws HoldfastError `modbus-history-clock`. */
  note(number: number): void {
    if (this.#steps.includes(number)) return;
    this.#steps = [...this.#steps, number].toSorted((a, b) => a - b);
    if (this.#steps.length <= maxSteps) return;
    const message = `the clock was set back more than ${maxSteps} times within the event log: order this source by its record numbers (index: sequence)`;
    throw new HoldfastError('modbus-history-clock', message, { retryable: true });
  }

  /** The runs that make up `log`, in order of their numbers; undefined where it was overwritten meanwhile. */
  async of(log: LogRange, timeOf: TimeOf): Promise<readonly LogRange[] | undefined> {
    this.#forget(log.oldest);
    const numbers = spaced(log);
    for (const [at, number] of numbers.entries()) {
      if ((await this.#time(number, timeOf)) === undefined) return undefined;
      const before = numbers[at - 1];
      if (before !== undefined && !(await this.#search(before, number, timeOf))) return undefined;
    }
    const starts = [log.oldest, ...this.#steps.filter((step) => step > log.oldest && step <= log.newest)];
    return starts.map((oldest, at) => ({ oldest, newest: (starts[at + 1] ?? log.newest + 1) - 1 }));
  }

  /** Finds the steps between two records, as far as their times give them away. False where overwritten meanwhile. */
  async #search(low: number, high: number, timeOf: TimeOf): Promise<boolean> {
    const first = this.#steps.find((step) => step > low && step <= high);
    if (first !== undefined) {
      // Known: what lies on either side of it may hide another.
      const isFound = first - 1 <= low || (await this.#search(low, first - 1, timeOf));
      return isFound && (first >= high || (await this.#search(first, high, timeOf)));
    }
    const [lowTime, highTime] = [await this.#time(low, timeOf), await this.#time(high, timeOf)];
    if (lowTime === undefined || highTime === undefined) return false;
    if (lowTime <= highTime) return true;
    let [before, after, beforeTime] = [low, high, lowTime];
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      const time = await this.#time(middle, timeOf);
      if (time === undefined) return false;
      if (time < beforeTime) after = middle;
      else [before, beforeTime] = [middle, time];
    }
    this.note(after);
    return this.#search(low, high, timeOf);
  }

  async #time(number: number, timeOf: TimeOf): Promise<number | undefined> {
    const known = this.#times.get(number);
    if (known !== undefined) return known;
    const time = await timeOf(number);
    if (time !== undefined) this.#times.set(number, time);
    return time;
  }

  #forget(oldest: number): void {
    this.#steps = this.#steps.filter((step) => step > oldest);
    for (const number of this.#times.keys()) if (number < oldest) this.#times.delete(number);
  }
}

/** Both ends, and between them records at multiples of a power of two: the same ones as the log moves on. */
function spaced({ oldest, newest }: LogRange): readonly number[] {
  const size = newest - oldest + 1;
  const parts = Math.max(1, Math.min(mostSpaced, size / recordsEach));
  const step = 2 ** Math.ceil(Math.log2(size / parts));
  const numbers = [oldest];
  for (let number = Math.floor(oldest / step) * step + step; number < newest; number += step)
    numbers.push(number);
  if (newest > oldest) numbers.push(newest);
  return numbers;
}
