// Simulated equipment, and a record of everything that it showed: the run is judged by it.
import type { Random } from '../../../kernel/random.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';
import type { WorldTime } from './world-time.ts';

/** `own`: it stamps and numbers its samples. `gateway`: it only ever shows a value. */
export type Stamping = 'own' | 'gateway';

export interface EquipmentPlan {
  readonly name: string;
  readonly index: IndexKind;
  readonly stamping: Stamping;
  readonly periodMs: number;
  /** Samples that it remembers; 0: nothing. */
  readonly memory: number;
}

/** What real equipment does to those who ask it. */
export interface Habit {
  /** It does not hear what it is asked so soon after somebody connected. */
  readonly deafMs?: number;
  /** It leaves each so many-th request without an answer. */
  readonly losesEvery?: number;
  /** It closes the connection behind each so many-th answer, 1 for each. */
  readonly closesEvery?: number;
  /** In each so many milliseconds it is busy for the first half: it answers then, and refuses what it is asked. */
  readonly busyEveryMs?: number;
}

export interface Sample {
  /** From 0, without a gap. */
  readonly number: number;
  /** Its place in the stream; for the gateway's stamps, when it was shown by a right wall clock. */
  readonly index: number;
  readonly value: number;
}

export class Equipment {
  readonly plan: EquipmentPlan;
  readonly #time: WorldTime;
  readonly #random: Random;
  readonly #samples: Sample[] = [];
  /** Number of the oldest sample that it still remembers. */
  #heldFrom = 0;
  /** Below this it has nothing, whatever the samples are. */
  #forgotTo = Number.NEGATIVE_INFINITY;
  isReachable = true;
  habit: Habit = {};
  #asked = 0;
  #answered = 0;
  /** Numbers of samples that the module called durable: they must arrive, whatever happens. */
  readonly promised = new Set<number>();

  constructor(plan: EquipmentPlan, time: WorldTime, random: Random) {
    this.plan = plan;
    this.#time = time;
    this.#random = random;
    if (plan.stamping === 'own') this.#tick();
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  get newest(): Sample | undefined {
    return this.#samples.at(-1);
  }

  /** Whether a request that is sent now is answered. */
  hears(): boolean {
    const { losesEvery } = this.habit;
    this.#asked += 1;
    return this.isReachable && (losesEvery === undefined || this.#asked % losesEvery > 0);
  }

  /** It answers just now that it is busy. */
  get isBusy(): boolean {
    const { busyEveryMs } = this.habit;
    return busyEveryMs !== undefined && this.#time.elapsed % busyEveryMs < busyEveryMs / 2;
  }

  /** It closes the connection behind the answer that it gives now. */
  closes(): boolean {
    const { closesEvery } = this.habit;
    this.#answered += 1;
    return closesEvery !== undefined && this.#answered % closesEvery === 0;
  }

  /** What a poll is answered with. */
  show(): Sample {
    if (this.plan.stamping === 'gateway') this.#add(this.#time.wall);
    return this.#samples.at(-1)!;
  }

  /** Nothing can be added below. */
  get recordedTo(): number {
    if (this.plan.index === 'sequence') return this.#samples.length;
    return this.#time.wall;
  }

  /** From here on it holds everything that it ever recorded. */
  get heldFrom(): number {
    return this.#forgotTo;
  }

  /** What it remembers of `window`, in order. */
  held({ start, end }: Window): readonly Sample[] {
    return this.shown({ start, end }).filter(({ number }) => number >= this.#heldFrom);
  }

  /** All that it ever had in `window`. */
  shown({ start, end }: Window): readonly Sample[] {
    return this.#samples.slice(this.#firstAt(start), this.#firstAt(end));
  }

  /** Its memory is cleared, as by a new battery. */
  forget(): void {
    this.#heldFrom = this.#samples.length;
    this.#forgotTo = this.recordedTo;
  }

  #tick(): void {
    const { periodMs, index } = this.plan;
    this.#add(index === 'sequence' ? this.#samples.length : this.#time.wall);
    // No equipment keeps its period to the millisecond.
    const jitter = 0.9 + 0.2 * this.#random.next();
    this.#time.setTimer(periodMs * jitter, () => this.#tick());
  }

  #add(index: number): void {
    const number = this.#samples.length;
    this.#samples.push({ number, index, value: number * 7 + 1 });
    const { memory } = this.plan;
    const oldest = number + 1 - memory;
    if (memory === 0 || oldest <= this.#heldFrom) return;
    this.#heldFrom = oldest;
    this.#forgotTo = this.#samples[oldest]!.index;
  }

  /** The place among all samples of the first at or above `index`. */
  #firstAt(index: number): number {
    let [low, high] = [0, this.#samples.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#samples[middle]!.index < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
