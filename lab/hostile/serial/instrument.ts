// An instrument that samples by its own clock and keeps its records in a ring: what it made, and what it says to each
// command.
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { Dice } from '../dice.ts';
import type { EquipmentClock } from '../equipment-clock.ts';
import type { Counted } from '../judge/numbered-places.ts';
import { Records } from '../judge/records.ts';
import type { Stamped } from '../judge/stamped-places.ts';
import type { Trace } from '../trace.ts';
import type { InstrumentPlan } from './instrument-plan.ts';

export type Kept = Counted & Stamped;

/** One line that it says, without its end. */
export interface Said {
  readonly text: string;
  /** The live record that it tells of, or `now` for values of the moment. */
  readonly record?: Kept;
  /** The one that its memory gives. */
  readonly kept?: Kept;
  /** Asked for just before it is said: undefined where the record is no longer held by then. */
  readonly isHeld?: () => boolean;
}

export interface InstrumentOptions {
  readonly plan: InstrumentPlan;
  readonly clock: VirtualClock;
  readonly deviceClock: EquipmentClock;
  readonly dice: Dice;
  readonly trace: Trace;
  /** It has made a record, and says so where it talks. */
  readonly onRecord: (said: Said) => void;
}

export class Instrument {
  readonly records = new Records<Kept>();
  readonly #options: InstrumentOptions;
  #memory: Kept[] = [];
  #count: number;
  #round = 0;
  isOn = true;

  constructor(options: InstrumentOptions) {
    this.#options = options;
    this.#count = options.plan.firstCount;
    const { capacity, sampleMs } = options.plan;
    for (let back = capacity; back > 0; back--) this.#sample(-back * sampleMs);
    this.#schedule();
  }

  /** How far its counter has come, in numbers. */
  get age(): number {
    return (this.#count - this.#options.plan.first) % this.#options.plan.span;
  }

  get newest(): Kept | undefined {
    return this.#memory.at(-1);
  }

  clear(): void {
    this.#options.trace.note('unit', `its memory is cleared, at number ${this.#shown(this.#count - 1)}`);
    this.#round += 1;
    this.#count = this.#options.plan.first;
    this.#memory = [];
  }

  isHeld(record: Kept): boolean {
    return this.#memory.includes(record);
  }

  /** What it says to a command; undefined where it knows none such. */
  answer(command: string): readonly Said[] | undefined {
    const { memory } = this.#options.plan;
    const [word, ...rest] = command.split(' ');
    if (word === 'R?' || word === 'A?' || word === 'B?') {
      const record = this.newest;
      return record
        ? [{ text: this.#line(word === 'R?' ? 'D' : word[0]!, record), record }]
        : [{ text: '$NONE' }];
    }
    if (!memory) return undefined;
    if (word === 'M?') return [{ text: this.#bounds() }];
    if (word !== 'D') return undefined;
    const [from, to] = rest.map(Number);
    const records = this.#memory.filter((record) => this.#isWithin(record, from!, to!));
    const head = memory.isDistinct || this.#options.plan.commands === 2 ? 'R' : 'D';
    const lines = records.map((record): Said => {
      return { text: this.#line(head, record), kept: record, isHeld: () => this.isHeld(record) };
    });
    if (lines.length === 0 && memory.hasNone) return [{ text: '$NONE' }];
    return memory.hasEnd ? [...lines, { text: '$END' }] : lines;
  }

  #bounds(): string {
    const { order, memory } = this.#options.plan;
    const [oldest, newest] = [this.#memory[0], this.#memory.at(-1)];
    if (!oldest || !newest) return memory!.hasNone ? '$NONE' : '$M,-,-';
    return order === 'number'
      ? `$M,${this.#shown(oldest.count)},${this.#shown(newest.count)}`
      : `$M,${this.#time(oldest)},${this.#time(newest)}`;
  }

  #isWithin(record: Kept, from: number, to: number): boolean {
    const { order, span, stampStepMs } = this.#options.plan;
    if (order === 'time') return record.stamp >= from * stampStepMs && record.stamp <= to * stampStepMs;
    const ahead = (number: number) => (((number - from) % span) + span) % span;
    return ahead(this.#shown(record.count)) <= ahead(to);
  }

  #schedule(): void {
    const { clock, plan, dice, onRecord } = this.#options;
    const jitter = Math.floor(plan.sampleMs / 10);
    clock.setTimer(plan.sampleMs + dice.between(-jitter, jitter), () => {
      if (this.isOn) {
        const record = this.#sample(0);
        onRecord({ text: this.#line('D', record), record });
      }
      this.#schedule();
    });
  }

  /** `agoMs`: 0, or so long before the episode, as a negative number. */
  #sample(agoMs: number): Kept {
    const { clock, deviceClock, plan, trace } = this.#options;
    const id = this.records.all.length + 1;
    const at = clock.monotonic() + agoMs;
    const stamp = Math.floor((deviceClock.now() + agoMs) / plan.stampStepMs) * plan.stampStepMs;
    const values = new Map([
      ['a', { value: id, good: true }],
      ['b', { value: id + 0.25, good: true }],
    ]);
    const record = { id, at, stamp, count: this.#count, round: this.#round, values };
    this.#count += 1;
    this.records.add(record);
    this.#memory = [...this.#memory.slice(1 - plan.capacity), record];
    trace.note('unit', `record ${id}: number ${this.#shown(record.count)}, stamp ${stamp}`);
    return record;
  }

  /** `D` and `R` with both values, `A` and `B` with one. */
  #line(word: string, record: Kept): string {
    const { order } = this.#options.plan;
    const stamp = order === 'arrival' ? '' : `,${this.#shown(record.count)},${this.#time(record)}`;
    const values =
      word === 'A' ? [record.id] : word === 'B' ? [record.id + 0.25] : [record.id, record.id + 0.25];
    return `$${word}${stamp},${values.join(',')}`;
  }

  #time({ stamp }: Kept): number {
    return stamp / this.#options.plan.stampStepMs;
  }

  #shown(count: number): number {
    const { first, span } = this.#options.plan;
    return first + ((count - first) % span);
  }
}
