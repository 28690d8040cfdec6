// Turns records that are ordered by the instrument's own time into statements about the stream.
//
// Two records may have one time, and both are at its position then. So a position is claimed only when none can be added
// to it: once a record with a later time has come, or the instrument's clock has gone on for certain. And where
// something may have been missed before a record, it may have had the same time: observation begins behind it.
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { Observation } from '../observation.ts';
import type { HeardTimes } from './heard-times.ts';
import type { InstrumentClock } from './instrument-clock.ts';
import { type DecodedRecord, toReadings } from './record-layout.ts';
import { type KnownTime, TimeGuard } from './time-guard.ts';

/** State that outlives a session. */
export interface TimeState {
  /** Of the newest record; undefined where none was seen. */
  newest: KnownTime | undefined;
  readonly clock: InstrumentClock;
  readonly heard: HeardTimes;
}

export interface ByTimeOptions {
  readonly observation: Observation;
  readonly state: TimeState;
  readonly clock: Clock;
  /** What the instrument's times are rounded to. */
  readonly stepMs: number;
  /** A message has begun to come. */
  readonly isAmid: () => boolean;
  readonly count: (name: string, by?: number) => void;
}

/**
 * So long after a record came, no other comes with the same time: the instrument's clock has gone on, and what it sent
 * has arrived. Where times are rounded, two records have the same one often, and the second may be held up on its way.
 */
export function settledAfterMs(stepMs: number): number {
  return stepMs + Math.min(1000, Math.max(50, stepMs));
}

export class ByTime {
  readonly #options: ByTimeOptions;
  readonly #guard: TimeGuard;
  #held: Held | undefined;
  /** Those with the newest time. */
  #latest: { readonly time: number; readonly records: DecodedRecord[] } | undefined;
  #timer: Timer | undefined;
  /** The last one that its clock showed in the future. */
  #passed: DecodedRecord | undefined;
  /** Nothing was missed since the last record: observation begins once times have come far enough. */
  #isWaiting = false;

  constructor(options: ByTimeOptions) {
    this.#options = options;
    const { known, best } = options.state.clock;
    this.#guard = new TimeGuard(known, options.stepMs, best);
  }

  place(record: DecodedRecord): void {
    const { clock, count } = this.#options;
    const held = this.#held;
    this.#held = undefined;
    const step = this.#guard.take({
      timestamp: record.timestamp!,
      now: clock.monotonic(),
      wall: clock.now(),
    });
    if (held && !(step.kind === 'placed' && step.bearsOut)) {
      count('holdfast_serial_unbelievable_times_total');
      this.#loseHeld(held);
    }
    if (step.kind === 'held') {
      this.#held = { record, at: clock.monotonic() };
      return;
    }
    for (const each of held && step.bearsOut ? [held.record, record] : [record]) {
      if (step.isClaimed) this.#take(each, each.timestamp!);
      else this.#passOnce(each, each.timestamp!);
    }
  }

  /** Drops the held record, whose time may have been right. */
  #loseHeld({ record, at }: Held): void {
    const { clock, state } = this.#options;
    const now = { now: clock.monotonic(), wall: clock.now() };
    state.clock.mayHaveShown({ timestamp: record.timestamp!, at }, now);
    this.lose('unbelievable-time');
  }

  /** An instrument that is asked says the same record again and again. */
  #passOnce(record: DecodedRecord, time: number): void {
    const last = this.#passed;
    this.#passed = record;
    if (record.number === undefined && last?.timestamp === time && isSame(record, last)) return;
    const { observation, state } = this.#options;
    this.#show(time, false);
    // Of a stream of which nothing is known its clock may be one that nobody has put right yet: nothing rests on that.
    this.#isWaiting = state.clock.known
      ? this.#pass(record, time, state.clock.mark)
      : observation.late(toReadings(record, time));
  }

  #show(time: number, isBelieved: boolean): void {
    const { observation, state, clock } = this.#options;
    const hasMissed = observation.isBroken && !this.#isWaiting;
    state.heard.add(time);
    state.clock.show(time, { now: clock.monotonic(), wall: clock.now() }, hasMissed, isBelieved);
  }

  /** Something may be missing. */
  lose(reason: string): void {
    this.#isWaiting = false;
    this.#options.observation.lose(reason);
  }

  /** Something may have come that had the newest time: its position is not claimed before a later record shows more. */
  doubt(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The newest record is still the newest. */
  confirm(): void {
    this.#options.observation.confirm();
    if (this.#latest && !this.#timer) this.#settleLater(this.#latest.time);
  }

  /** The session is over. */
  stop(): void {
    if (this.#held) this.#loseHeld(this.#held);
    this.#timer?.cancel();
  }

  #take(record: DecodedRecord, time: number): void {
    const { observation, state, clock } = this.#options;
    const latest = this.#latest;
    if (latest && time === latest.time) {
      this.#takeAnother(record, latest);
      return;
    }
    this.#show(time, true);
    if (latest && time < latest.time) observation.lose('equipment-clock-went-back');
    this.#timer?.cancel();
    this.#latest = { time, records: [record] };
    state.newest = { timestamp: time, at: clock.monotonic() };
    if (observation.isBroken) this.#begin(record, time);
    else if (observation.take(toReadings(record, time))) observation.observe(time, state.clock.mark);
    this.#settleLater(time);
  }

  /** The same time again: the same record, said again, or another one. */
  #takeAnother(record: DecodedRecord, { time, records }: { time: number; records: DecodedRecord[] }): void {
    const { observation, count } = this.#options;
    if (record.number === undefined && records.some((known) => isSame(record, known))) {
      this.confirm();
      return;
    }
    if (records.length < maxAtOneTime) records.push(record);
    count('holdfast_serial_repeated_stamps_total');
    // Its position was claimed already: it is given all the same, and the claim is known to have been early.
    if ((observation.until ?? time) > time) observation.lose('repeated-stamp');
    if (observation.isBroken) this.#begin(record, time);
    else observation.take(toReadings(record, time));
  }

  /** Reports the record and begins observation behind it, since missed records may have had the same time. */
  #begin(record: DecodedRecord, time: number): void {
    const { observation, state } = this.#options;
    this.#pass(record, time, state.clock.mark);
    this.#isWaiting = time + 1 < state.clock.freeFrom;
    if (!this.#isWaiting) observation.begin(time + 1);
  }

  /**
   * It is given, and says nothing about what lies around it. `mark`: what is known of the clock, which has to be known after a
   * restart as well, however long nothing is claimed.
   */
  #pass(record: DecodedRecord, time: number, mark: number): boolean {
    const { observation } = this.#options;
    observation.lose('equipment-clock-ahead');
    if (observation.begin(time, undefined, mark) === undefined) return false;
    if (!observation.take(toReadings(record, time))) return false;
    observation.lose('may-share-its-time', { at: time });
    return true;
  }

  #settleLater(time: number): void {
    const { clock, stepMs, observation, state, isAmid } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(settledAfterMs(stepMs), () => {
      this.#timer = undefined;
      if (observation.until === undefined || observation.until > time) return;
      // What is coming just now may have that time.
      if (isAmid()) this.#settleLater(time);
      else observation.observe(time + 1, state.clock.mark);
    });
  }
}

interface Held {
  readonly record: DecodedRecord;
  /** Monotonic ms. */
  readonly at: number;
}

/** More records with one time are compared with the first ones only. */
const maxAtOneTime = 100;

function isSame(a: DecodedRecord, b: DecodedRecord): boolean {
  return (
    a.values.length === b.values.length &&
    a.values.every(({ tag, value, quality }, at) => {
      const other = b.values[at]!;
      return other.tag === tag && other.value === value && other.quality === quality;
    })
  );
}
