// Simulated equipment, and a record of everything that it showed: the run is judged by it.
import type { Random } from '../../../kernel/random.ts';
import type { Quality, Reading } from '../../../wire/reading.ts';
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
  /** It tells each so many-th sample only so much later, and records it only then; those after it come before. */
  readonly late?: { readonly every: number; readonly byMs: number } | undefined;
  /** Each sample comes with a long text, so that a window may take several messages. */
  readonly isFat?: boolean;
  /** It is not sure of some samples, and says so; beside some it tells other values, of other kinds. Its memory is read in blocks. */
  readonly isMixed?: boolean;
  /** Whoever reads it waits for so many samples to be safe, and then for the next ones. Default: 10. */
  readonly freesEvery?: number;
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
  /** By how much it is told late. */
  readonly lateMs: number;
  /** When it was taken: elapsed ms of the world. */
  readonly at: number;
}

/** All that it tells of a sample: what stands in the stream at that place, and nothing else. */
export function readingsOf(
  { isFat, isMixed }: EquipmentPlan,
  { number, value }: Sample,
  index: number,
): readonly Reading[] {
  const quality = isMixed ? qualityOf(number) : 'good';
  return [
    // Of 300 characters, each its own.
    ...(isFat
      ? [{ index, tag: 'text', value: `${value} `.repeat(300).slice(0, 300), quality: 'good' as const }]
      : []),
    { index, tag: 'value', value, quality },
    ...(isMixed && number % 3 === 0 ? [{ index, tag: 'on', value: number % 2 === 0, quality }] : []),
    ...(isMixed && number % 5 === 0
      ? [{ index, tag: 'setup', value: { at: number, list: [null, 'ü', 0.5] }, quality: 'good' as const }]
      : []),
  ];
}

/** What it says of a sample's worth. */
export function qualityOf(number: number): Quality {
  if (number % 17 === 9) return 'uncertain:simulated';
  return number % 23 === 11 ? 'bad:simulated' : 'good';
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
  /** Its address. */
  host: string;
  /** Without power: it takes no samples, and answers nobody. */
  isOff = false;
  /** Ms that its own clock is ahead. */
  #aheadMs = 0;
  /** Its clock was ahead at some time. */
  hasLeapt = false;
  /** No place of its own below this is used again: what its clock says after it was put back is not recorded. */
  #reached = Number.NEGATIVE_INFINITY;
  /** In the order in which they are told. */
  readonly #told: Sample[] = [];
  /** Places of samples that are not told yet, in order. */
  #untold: number[] = [];
  habit: Habit = {};
  #asked = 0;
  #answered = 0;
  /** Numbers of samples that the module called durable: they must arrive, whatever happens. */
  readonly promised = new Set<number>();

  constructor(plan: EquipmentPlan, time: WorldTime, random: Random) {
    this.plan = plan;
    this.host = `simulated-${plan.name}`;
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
    return this.answers && (losesEvery === undefined || this.#asked % losesEvery > 0);
  }

  get answers(): boolean {
    return this.isReachable && !this.isOff;
  }

  /** All that was told so far, in the order in which it was. */
  get told(): readonly Sample[] {
    return this.#told;
  }

  /** Its own clock is set. */
  setClock(aheadMs: number): void {
    this.#reached = Math.max(this.#reached, this.now);
    this.#aheadMs = aheadMs;
    this.hasLeapt ||= aheadMs > 0;
  }

  /** What its own clock says. */
  get now(): number {
    return Math.max(this.#reached, this.#time.wall + this.#aheadMs);
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

  /** As far as it has come: from here on lies the future. */
  get reachedTo(): number {
    return this.plan.index === 'sequence' ? this.#samples.length : this.now + 1;
  }

  /** Nothing can be added below. */
  get recordedTo(): number {
    if (this.plan.index === 'sequence') return this.#samples.length;
    return this.#untold[0] ?? this.now;
  }

  /** From here on it holds everything that it ever recorded. */
  get heldFrom(): number {
    return this.#forgotTo;
  }

  /** What it remembers of `window`, in order. */
  held({ start, end }: Window): readonly Sample[] {
    const isTold = ({ index, lateMs }: Sample) => lateMs === 0 || !this.#untold.includes(index);
    return this.shown({ start, end }).filter((sample) => sample.number >= this.#heldFrom && isTold(sample));
  }

  /** All that it ever had in `window`. */
  shown({ start, end }: Window): readonly Sample[] {
    return this.#samples.slice(this.#firstAt(start), this.#firstAt(end));
  }

  /** Its memory is cleared, as by a new battery. */
  forget(): void {
    this.#heldFrom = this.#samples.length;
    this.#forgotTo = this.plan.index === 'sequence' ? this.#samples.length : this.now;
  }

  #tick(): void {
    const { periodMs, index } = this.plan;
    // A clock that was put back: nothing is recorded at places that were used before.
    const isNew = index === 'sequence' || this.now > (this.#samples.at(-1)?.index ?? 0);
    if (isNew && !this.isOff) this.#add(index === 'sequence' ? this.#samples.length : this.now);
    // No equipment keeps its period to the millisecond.
    const jitter = 0.9 + 0.2 * this.#random.next();
    this.#time.setTimer(periodMs * jitter, () => this.#tick());
  }

  #add(index: number): void {
    const number = this.#samples.length;
    const { memory, late } = this.plan;
    const lateMs = late !== undefined && number % late.every === late.every - 1 ? late.byMs : 0;
    const sample = { number, index, value: number * 7 + 1, lateMs, at: this.#time.elapsed };
    this.#samples.push(sample);
    if (late !== undefined) this.#tell(sample);
    const oldest = number + 1 - memory;
    if (memory === 0 || oldest <= this.#heldFrom) return;
    this.#heldFrom = oldest;
    this.#forgotTo = this.#samples[oldest]!.index;
  }

  #tell(sample: Sample): void {
    if (sample.lateMs === 0) {
      this.#told.push(sample);
      return;
    }
    this.#untold.push(sample.index);
    this.#time.setTimer(sample.lateMs, () => {
      this.#untold = this.#untold.filter((index) => index !== sample.index);
      this.#told.push(sample);
    });
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
