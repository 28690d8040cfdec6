// A unit that samples by its own clock, numbers its samples, and keeps them in an event log: what it made, what its
// registers show, and what its log still holds.
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { Dice } from '../dice.ts';
import type { EquipmentClock } from '../equipment-clock.ts';
import type { Counted } from '../judge/numbered-places.ts';
import { Records, type Shown } from '../judge/records.ts';
import type { Stamped } from '../judge/stamped-places.ts';
import type { Trace } from '../trace.ts';
import type { Unit, UnitAnswer } from './line.ts';
import type { RecorderPlan } from './recorder-plan.ts';
import { float32, type RegisterRequest, Registers, uint16, uint32, uint64 } from './registers.ts';

export type Sample = Counted & Stamped;

export interface RecorderOptions {
  readonly plan: RecorderPlan;
  readonly clock: VirtualClock;
  readonly deviceClock: EquipmentClock;
  readonly dice: Dice;
  readonly trace: Trace;
}

/** What time synchronisation corrects. */
export const smallStepMs = 2000;

/** The same, as stamps show it. */
export function smallStepOf({ stampStepMs }: RecorderPlan): number {
  return smallStepMs + (stampStepMs > 1 ? stampStepMs : 0);
}

export class Recorder implements Unit {
  readonly records = new Records<Sample>();
  readonly #options: RecorderOptions;
  readonly #registers = new Registers();
  readonly #files = new Map<string, Buffer>();
  /** Of this round, newest last; what the log holds. */
  #log: Sample[] = [];
  /** Of these the log has something else. */
  readonly #corrupt = new Set<number>();
  /** By their ids, when they were first looked at, true time. */
  readonly #looked = new Map<number, number>();
  #round = 0;
  #count: number;
  #isOn = true;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#count = options.plan.firstCount;
    // It has run for long: its log is full.
    for (let back = options.plan.capacity; back > 0; back--) this.#sample(-back * options.plan.sampleMs);
    this.#schedule();
  }

  get sampleCount(): number {
    return this.#count;
  }

  set isOn(isOn: boolean) {
    this.#isOn = isOn;
  }

  /** Someone clears the memory: the numbers start again. */
  clear(): void {
    this.#options.trace.note('unit', `its memory is cleared, at number ${this.#count - 1}`);
    this.#round += 1;
    this.#log = [];
    this.#count = this.#options.plan.firstRecord;
    this.#showPointers();
  }

  /** The adapter was given what the log holds there. */
  onLooked(request: RegisterRequest): void {
    const { plan, clock } = this.#options;
    const perFile = Math.floor(plan.registersPerFile / plan.recordRegisters);
    const from =
      request.kind === 'file'
        ? (request.file - 1) * perFile + request.record / plan.recordRegisters
        : (request.address - plan.base) / plan.recordRegisters;
    const to = from + request.count / plan.recordRegisters;
    for (const { id, count } of this.#log) {
      const slot = this.#shown(count) % plan.capacity;
      if (slot + 1 > from && slot < to && !this.#looked.has(id)) this.#looked.set(id, clock.monotonic());
    }
  }

  wasLookedAt({ id }: Sample): boolean {
    return this.#looked.has(id);
  }

  forgetLooks(since: number): void {
    for (const [id, at] of this.#looked) if (at > since) this.#looked.delete(id);
  }

  /** Its clock was set back by as little as time synchronisation does, among records that went before they were looked at. */
  isBehindSmallStep({ id, stamp }: Sample): boolean {
    const next = this.#log.find((sample) => sample.id > id && this.isHeld(sample));
    return next !== undefined && next.stamp <= stamp && stamp - next.stamp < smallStepOf(this.#options.plan);
  }

  /**
   * By their numbers, and the pace of those that it holds, more samples went since `last` than can have been taken in the time that
   * its clock shows for them.
   */
  isToldByCount(last: Sample): boolean {
    const { isCounted } = this.#options.plan;
    const first = this.#log.find((sample) => this.isHeld(sample));
    if (!isCounted || first === undefined || first.round !== last.round) return false;
    const held = this.#log.filter((sample) => this.isHeld(sample));
    const intervals = held.slice(1).map(({ stamp }, at) => stamp - held[at]!.stamp);
    const fastestMs = Math.min(...intervals.filter((interval) => interval >= 0));
    return Number.isFinite(fastestMs) && ((first.id - last.id) * fastestMs) / 2 > first.stamp - last.stamp;
  }

  /** The log never had it. */
  isCorrupt({ id }: Sample): boolean {
    return this.#corrupt.has(id);
  }

  isHeld(sample: Sample): boolean {
    const { capacity, hasOldest } = this.#options.plan;
    if (sample.round !== this.#round || this.#corrupt.has(sample.id)) return false;
    // Without a pointer to the oldest record its slot may be written to at any moment.
    return sample.count > this.#count - 1 - (hasOldest ? capacity : capacity - 1);
  }

  answer(request: RegisterRequest): UnitAnswer {
    const { plan } = this.#options;
    if (request.kind === 'file') {
      const perFile = Math.floor(plan.registersPerFile / plan.recordRegisters) * plan.recordRegisters;
      const at = 2 * ((request.file - 1) * perFile + request.record);
      return { data: this.#fileBytes(at, 2 * request.count), about: 'history' };
    }
    const { table, address, count } = request;
    const about = address < plan.pointers ? 'live' : 'history';
    return { data: this.#registers.read(table, address, count), about };
  }

  #schedule(): void {
    const { clock, plan, dice } = this.#options;
    clock.setTimer(plan.sampleMs + dice.between(-plan.jitterMs, plan.jitterMs), () => {
      if (this.#isOn) this.#sample(0);
      this.#schedule();
    });
  }

  /** `agoMs`: 0, or so long before the episode, as a negative number. */
  #sample(agoMs: number): void {
    const { clock, deviceClock, plan, trace } = this.#options;
    const id = this.records.all.length + 1;
    const stamp = Math.floor((deviceClock.now() + agoMs) / plan.stampStepMs) * plan.stampStepMs;
    const values = new Map<string, Shown>([
      ['id', { value: id, good: true }],
      ['level', { value: id + 0.5, good: true }],
      ['state', { value: (id % 30_000) - 15_000, good: true }],
    ]);
    if (plan.isTwoBlocks) values.set('far', { value: id + 1_000_000, good: true });
    if (plan.index === 'sequence') values.set('time', { value: stamp, good: true });
    const sample = {
      id,
      at: clock.monotonic() + agoMs,
      stamp,
      count: this.#count,
      round: this.#round,
      values,
    };
    this.#count += 1;
    this.records.add(sample);
    this.#log = [...this.#log.slice(1 - plan.capacity), sample];
    trace.note('unit', `sample ${id}: number ${this.#shown(sample.count)}, stamp ${stamp}`);
    this.#show(sample);
  }

  #show(sample: Sample): void {
    const { plan } = this.#options;
    const bytes = this.#bytesOf(sample);
    this.#registers.set('holding', plan.live, bytes);
    this.#registers.set('holding', plan.far, uint32(sample.id + 1_000_000));
    const slot = this.#shown(sample.count) % plan.capacity;
    const record = Buffer.concat([bytes, uint32(sample.id + 1_000_000)]);
    // One that shows its own number by chance nobody could tell.
    if (plan.corrupts && this.#options.dice.chance(0.03) && this.#shown(sample.count) !== plan.modulus - 1) {
      this.#corrupt.add(sample.id);
      record.fill(0xff);
    }
    if (plan.kind === 'ring') this.#registers.set('holding', plan.base + slot * plan.recordRegisters, record);
    else this.#files.set(String(slot), record);
    this.#showPointers();
  }

  /** Stamp, number and tags as they lie from the start of the sample. */
  #bytesOf({ stamp, count, id }: Sample): Buffer {
    const { plan } = this.#options;
    const time = plan.stampStepMs === 1 ? uint64(stamp) : Buffer.concat([uint32(stamp / 1000), uint32(0)]);
    const state = uint16((id % 30_000) - 15_000);
    const number = plan.modulus === 2 ** 16 ? Buffer.concat([uint16(count), uint16(0)]) : uint32(count);
    return Buffer.concat([time, number, uint32(id), float32(id + 0.5), state]);
  }

  #showPointers(): void {
    const { plan } = this.#options;
    const newest = this.#count - 1;
    const oldest = this.#log[0]?.count ?? this.#count;
    const word = plan.modulus === 2 ** 16 ? uint16 : uint32;
    this.#registers.set('holding', plan.pointers, word(this.#shown(newest)));
    this.#registers.set('holding', plan.pointers + 2, word(this.#shown(oldest)));
  }

  #shown(count: number): number {
    return count % this.#options.plan.modulus;
  }

  #fileBytes(from: number, length: number): Buffer {
    const size = 2 * this.#options.plan.recordRegisters;
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at++) {
      const record = this.#files.get(String(Math.floor((from + at) / size)));
      bytes[at] = record?.[(from + at) % size] ?? 0;
    }
    return bytes;
  }
}
