// Samples in the order of the times that the equipment gives them.
//
// Where it counts them as well, a break is a jump in the count, or its clock going back: a poll that failed has lost
// nothing if the count goes on by one, and cannot have come round meanwhile (round-watch.ts). Otherwise it is a poll that failed or
// was missed, or a sample that one poll alone showed where the next came soon after: for nobody can tell.
//
// Several samples may have one stamp, where it counts in seconds, or in whatever step was not known. So a stamp in seconds
// says that all before that second has come, and of the second itself only once the next one is there, or once a poll that was
// begun more than a second after the sample was first seen still shows it. Where observation begins amid such a second, that
// second is not claimed: another sample of it may have gone by. Stamps in finer units are taken to be unique, until two
// samples share one: the second goes up late, and from then on the stamps count as coarse.
import type { Clock } from '../../../kernel/clock.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { StreamStart } from '../../windows/window-store.ts';
import type { FirstClaim } from '../codec/clock-ahead.ts';
import type { RoundWatch } from '../codec/round-watch.ts';
import { Continuation } from '../continuation.ts';
import { Observation } from '../observation.ts';
import type { SourceSink } from '../source.ts';
import type { ClockSteps, SampleCount } from './clock-steps.ts';
import type { Poll } from './poller.ts';
import { Confirmer, Incomplete, type SampleStream } from './sample-stream.ts';
import { decodeKept, encodeKept, isNextStamp, type Kept, type Stamp } from './stamp-continuity.ts';

interface Seen {
  readonly stamp: Stamp;
  readonly readings: readonly Reading[];
  /** When it was first seen, monotonic ms. */
  readonly at: number;
  /** The stream has it within what is observed. */
  readonly isTaken: boolean;
  /** Its time lies in the future, and is not believed. */
  readonly isAhead?: true;
  /** More than one poll showed it. */
  isAgain?: true;
}

/** State that outlives a session. */
export interface StampedMemory {
  last: Seen | undefined;
  /** Several samples may have one stamp. */
  isCoarse: boolean;
  /** How far the equipment's clock has come, and when it was set back. */
  readonly steps: ClockSteps;
  /** Whether it is believed where it begins in the future. */
  readonly first: FirstClaim;
  /** Of their numbers. */
  readonly rounds: RoundWatch;
}

export interface StampedStreamOptions {
  readonly sink: SourceSink;
  readonly memory: StampedMemory;
  /** The state of the stream before this process. */
  readonly start: StreamStart | undefined;
  /** Where the samples' numbers start again from 0; undefined where they are not counted. */
  readonly modulus: number | undefined;
  readonly clock: Clock;
  /** The equipment keeps its samples: a null in place of a value would hide that it is to be had. */
  readonly hasHistory: boolean;
  readonly count: (name: string) => void;
}

/** The step of a coarse stamp, on a clock that is slow by 1,000 ppm. */
const coarseStepMs = 1001;

export class StampedStream implements SampleStream {
  readonly #options: StampedStreamOptions;
  readonly #observation: Observation;
  readonly #confirmer: Confirmer;
  readonly #incomplete = new Incomplete<Stamp>(isSameStamp);
  /** The number that is shown now may be of a later round. */
  #mayHaveComeRound = false;

  constructor(options: StampedStreamOptions) {
    this.#options = options;
    this.#observation = new Observation(options.sink);
    this.#confirmer = new Confirmer(this.#observation, options.clock);
    // Before history is read as well.
    const { memory, start } = options;
    const { twiceTo, isShown, number, lagMs } = this.#kept;
    if (start?.floor !== undefined) {
      const { floor, ageMs = 0, isAgeSure } = start;
      memory.steps.recall(floor - 1, ageMs, { isAgeSure, isShown, number, lagMs });
      memory.first.recall();
      memory.rounds.recall(ageMs);
    }
    memory.steps.recallTwice(twiceTo);
  }

  take(poll: Poll, startedAt: number): void {
    const { memory, hasHistory, modulus } = this.#options;
    const stamp = poll.stamp!;
    const readings = poll.readings(stamp.timestamp);
    memory.last ??= this.#knownBefore(stamp);
    this.#mayHaveComeRound = modulus !== undefined && memory.rounds.mayHaveComeRound;
    memory.rounds.looked(this.#countSince(stamp)?.count);
    const isWhole = poll.isCertain || !hasHistory;
    if (this.#isSeen(stamp, readings)) {
      this.#unchanged(startedAt);
      memory.steps.wasNewest(startedAt);
    } else if (isWhole || this.#incomplete.note(stamp)) {
      // It went before it was whole: a count shows that as a jump.
      if (this.#incomplete.isOver(stamp) && modulus === undefined)
        this.#observation.lose('sample-incomplete');
      this.#report(stamp, readings, isWhole);
      memory.steps.wasNewest(startedAt);
    }
  }

  gap(reason: string): void {
    if (this.#options.modulus === undefined) this.#observation.lose(reason);
  }

  /** The sample that the stream ended with before this process, where the equipment still shows it. */
  #knownBefore(stamp: Stamp): Seen | undefined {
    const { start, clock } = this.#options;
    if (stamp.number === undefined || stamp.number !== this.#kept.number || start?.floor === undefined)
      return undefined;
    if (stamp.timestamp !== start.floor && stamp.timestamp !== start.floor - 1) return undefined;
    return { stamp, readings: [], at: clock.monotonic(), isTaken: true };
  }

  /** The stored state of the last sample before this process. */
  get #kept(): Kept {
    return decodeKept(this.#options.start?.number, this.#options.modulus);
  }

  /** That some times came twice, while nothing is taken that it could be kept with. */
  #keepTwice(): void {
    const { steps } = this.#options.memory;
    const { until } = this.#observation;
    if (until !== undefined && steps.toKeep !== steps.keptTwiceTo)
      this.#observation.observe(until, this.#toKeepAsBefore(until, false));
  }

  #toKeep(number: number | undefined, isShown = true, lagMs = 0): number | undefined {
    const { steps } = this.#options.memory;
    steps.keptTwiceTo = steps.toKeep;
    steps.lastTaken = number;
    return encodeKept({ number, twiceTo: steps.toKeep, isShown, lagMs }, this.#options.modulus);
  }

  /** Nothing is taken. `isShown`: the stream, which ends at `at`, ends at a sample's time. */
  #toKeepAsBefore(at: number, isShown: boolean): number | undefined {
    const { steps } = this.#options.memory;
    return this.#toKeep(steps.lastTaken ?? this.#kept.number, isShown, isShown ? 0 : steps.lagBelow(at - 1));
  }

  #isSeen(stamp: Stamp, readings: readonly Reading[]): boolean {
    const { last } = this.#options.memory;
    if (!last || !isSameStamp(last.stamp, stamp)) return false;
    return stamp.number !== undefined || hasSameValues(last.readings, readings);
  }

  /** The same sample as before: none came between. */
  #unchanged(startedAt: number): void {
    const { memory } = this.#options;
    const { stamp, at, isTaken, isAhead } = memory.last!;
    memory.last!.isAgain = true;
    if (isAhead) return;
    const isSettled = !memory.isCoarse || startedAt - at >= coarseStepMs;
    const until = isSettled ? stamp.timestamp + 1 : stamp.timestamp;
    if (this.#observation.isBroken) {
      const continues = isTaken ? Continuation.sameNumber(stamp.number, stamp.number) : undefined;
      this.#begin(stamp.timestamp, continues === undefined ? stamp.timestamp + 1 : until, continues);
      this.#confirmer.stated();
    } else if (isSettled && until > this.#observation.until!) {
      this.#observation.observe(until, this.#toKeep(stamp.number));
      this.#confirmer.stated();
    }
    this.#confirmer.confirm();
  }

  #report(stamp: Stamp, readings: readonly Reading[], isWhole: boolean): void {
    const { memory, clock } = this.#options;
    const { timestamp, number } = stamp;
    const continues = this.#proof(stamp);
    const since = this.#countSince(stamp);
    const isNext = this.#relate(stamp);
    this.#confirmer.stated();
    const at = clock.monotonic();
    // Before anything was claimed nothing rests on such a time: its clock may be one that nobody has put right yet.
    if (!memory.first.isBelieved({ timestamp, now: at, wall: clock.now() })) {
      this.#observation.lose('equipment-clock-ahead');
      this.#observation.late(readings);
      memory.last = { stamp, readings, at, isTaken: false, isAhead: true };
      return;
    }
    if (this.#observation.isBroken && !isNext && !this.#isNextKnown(stamp)) memory.steps.miss();
    // What went by between two polls in a row has its time between theirs.
    else if (!this.#observation.isBroken && this.#isTooFast(stamp)) this.#observation.lose('samples-missed');
    memory.steps.show(timestamp, since, number);
    if (!isWhole) {
      this.#observation.late(readings);
      this.#observation.lose('sample-incomplete', { at: timestamp });
      memory.last = { stamp, readings, at, isTaken: false };
      return;
    }
    if (this.#observation.isBroken) this.#begin(timestamp, isNext ? timestamp : undefined, continues);
    const { until } = this.#observation;
    // What lies below was claimed without it, or may not be claimed.
    if (until === undefined || until > timestamp) {
      this.#observation.late(readings);
      this.#keepTwice();
    } else if (this.#observation.take(readings))
      this.#observation.observe(memory.isCoarse ? timestamp : timestamp + 1, this.#toKeep(number));
    const isTaken = until !== undefined && until <= timestamp && !this.#observation.isBroken;
    memory.last = { stamp, readings, at, isTaken };
  }

  /** That nothing is missing since the last sample that the stream took. */
  #proof({ timestamp, number }: Stamp): Continuation | undefined {
    const { memory, start, modulus } = this.#options;
    if (number === undefined || this.#mayHaveComeRound) return undefined;
    const { last } = memory;
    if (last) {
      if (!last.isTaken || timestamp < last.stamp.timestamp) return undefined;
      return Continuation.nextNumber(last.stamp.number, number, modulus);
    }
    if (start?.floor === undefined || timestamp < start.floor - 1) return undefined;
    return Continuation.nextNumber(this.#kept.number, number, modulus);
  }

  /** Samples since the last one that was shown, with this one; undefined where nothing tells. */
  #countSince({ number }: Stamp): SampleCount | undefined {
    const { memory, modulus } = this.#options;
    const { number: kept, isShown } = this.#kept;
    const { last } = memory;
    const before = last ? last.stamp.number : kept;
    if (modulus === undefined || number === undefined || before === undefined) return undefined;
    if (this.#mayHaveComeRound) return undefined;
    return { count: (number - before + modulus) % modulus, isSure: last !== undefined || isShown };
  }

  /** The sample follows the last one that is known from before this process. */
  #isNextKnown({ number }: Stamp): boolean {
    const { memory, modulus } = this.#options;
    if (memory.last || number === undefined || this.#mayHaveComeRound) return false;
    return Continuation.nextNumber(this.#kept.number, number, modulus) !== undefined;
  }

  /** Breaks off where something may be missing between the last sample and this one. True where it is the next one. */
  #relate(stamp: Stamp): boolean {
    const { memory, modulus, count } = this.#options;
    const last = memory.last?.stamp;
    if (!last) return false;
    const isNext = modulus !== undefined && !this.#mayHaveComeRound && isNextStamp(last, stamp, modulus);
    if (stamp.timestamp < last.timestamp) this.#observation.lose('equipment-clock-went-back');
    else if (modulus !== undefined && !isNext) this.#observation.lose('samples-missed');
    if (stamp.timestamp === last.timestamp) {
      memory.isCoarse = true;
      count('holdfast_modbus_repeated_stamps_total');
    }
    return isNext;
  }

  /** Nothing counts them, and they follow each other so fast that others may have gone by between the last two polls. */
  #isTooFast({ timestamp }: Stamp): boolean {
    const { memory, clock, modulus } = this.#options;
    const { last, steps } = memory;
    if (modulus !== undefined || !last) return false;
    if (steps.sinceNewestMs > steps.apartMs(timestamp)) return true;
    return !last.isAgain && timestamp - last.stamp.timestamp < 2 * (clock.monotonic() - last.at);
  }

  /** `from`: where nothing is missing. Absent: at `timestamp`, but of a coarse one others may have gone by. */
  #begin(timestamp: number, from: number | undefined, continues: Continuation | undefined): void {
    const { isCoarse, steps } = this.#options.memory;
    const at = Math.max(from ?? (isCoarse ? timestamp + 1 : timestamp), steps.freeFrom);
    if (continues !== undefined && this.#observation.begin(at, continues) !== undefined) return;
    this.#observation.begin(at, undefined, this.#toKeepAsBefore(at, at <= timestamp + 1));
  }
}

function isSameStamp(a: Stamp, b: Stamp): boolean {
  return a.timestamp === b.timestamp && a.number === b.number;
}

function hasSameValues(a: readonly Reading[], b: readonly Reading[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ value, quality }, at) => value === b[at]!.value && quality === b[at]!.quality)
  );
}
