// Records that the instrument's own time orders: which statements about the stream follow from each.
//
// Two records may have one time, and both are at its position then. So a position is claimed only when none can be added
// to it: once a record with a later time has come, or the instrument's clock has gone on for certain. And where
// something may have been missed before a record, it may have had the same time: observation begins behind it.
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { Window } from '../../../wire/window.ts';
import type { Observation } from '../observation.ts';
import { type DecodedRecord, toReadings } from './record-layout.ts';
import { type KnownTime, TimeGuard } from './time-guard.ts';

/** What outlives a session. */
export interface TimeState {
  /** Of the newest record; undefined where none was seen. */
  newest: KnownTime | undefined;
  /** Times that came twice, since the instrument's clock was set back; the newest of them. */
  repeated: readonly Window[];
}

export interface ByTimeOptions {
  readonly observation: Observation;
  readonly state: TimeState;
  readonly clock: Clock;
  /** What the instrument's times are rounded to. */
  readonly stepMs: number;
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
  #held: DecodedRecord | undefined;
  /** Those with the newest time. */
  #latest: { readonly time: number; readonly records: DecodedRecord[] } | undefined;
  #timer: Timer | undefined;

  constructor(options: ByTimeOptions) {
    this.#options = options;
    this.#guard = new TimeGuard(options.state.newest, options.stepMs);
  }

  place(record: DecodedRecord): void {
    const { clock, count, observation } = this.#options;
    const held = this.#held;
    this.#held = undefined;
    const step = this.#guard.take({
      timestamp: record.timestamp!,
      now: clock.monotonic(),
      wall: clock.now(),
    });
    if (held && !(step.kind === 'placed' && step.bearsOut)) {
      count('holdfast_serial_unbelievable_times_total');
      // It was a record, at a time that nobody knows.
      observation.lose('unbelievable-time');
    }
    if (step.kind === 'held') {
      this.#held = record;
      return;
    }
    for (const each of held && step.bearsOut ? [held, record] : [record]) {
      if (step.isClaimed) this.#take(each, each.timestamp!);
      else this.#pass(each, each.timestamp!);
    }
  }

  /** The session is over. */
  stop(): void {
    this.#timer?.cancel();
  }

  #take(record: DecodedRecord, time: number): void {
    const { observation, state, clock } = this.#options;
    const latest = this.#latest;
    if (latest && time === latest.time) {
      this.#takeAnother(record, latest);
      return;
    }
    if (latest && time < latest.time) {
      observation.lose('equipment-clock-went-back');
      state.repeated = [...state.repeated, { start: time, end: latest.time + 1 }].slice(-maxRepeated);
    }
    this.#timer?.cancel();
    this.#latest = { time, records: [record] };
    state.newest = { timestamp: time, at: clock.monotonic() };
    if (observation.isBroken) this.#begin(record, time);
    else if (observation.take(toReadings(record, time))) observation.observe(time);
    this.#settleLater(time);
  }

  /** The same time again: the same record, said again, or another one. */
  #takeAnother(record: DecodedRecord, { time, records }: { time: number; records: DecodedRecord[] }): void {
    const { observation, count } = this.#options;
    if (record.number === undefined && records.some((known) => isSame(record, known))) {
      observation.confirm();
      return;
    }
    if (records.length < maxAtOneTime) records.push(record);
    count('holdfast_serial_repeated_stamps_total');
    // Its position was claimed already: it is given all the same, and the claim is known to have been early.
    if ((observation.until ?? time) > time) observation.lose('repeated-stamp');
    if (observation.isBroken) this.#begin(record, time);
    else observation.take(toReadings(record, time));
  }

  /** What was missed before it may have had the same time: it is given, and observation begins behind it. */
  #begin(record: DecodedRecord, time: number): void {
    const { observation } = this.#options;
    this.#pass(record, time);
    observation.begin(time + 1);
  }

  /** It is given, and says nothing about what lies around it. */
  #pass(record: DecodedRecord, time: number): void {
    const { observation } = this.#options;
    observation.lose('equipment-clock-ahead');
    if (observation.begin(time) === undefined) return;
    if (observation.take(toReadings(record, time))) observation.lose('may-share-its-time', { at: time });
  }

  #settleLater(time: number): void {
    const { clock, stepMs, observation } = this.#options;
    this.#timer = clock.setTimer(settledAfterMs(stepMs), () => {
      if (observation.until !== undefined && observation.until <= time) observation.observe(time + 1);
    });
  }
}

/** Times that came twice, of which that is remembered. */
const maxRepeated = 100;
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
