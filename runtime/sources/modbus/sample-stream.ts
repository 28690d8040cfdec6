// Turns the samples of a polling session into statements about its stream: three kinds of streams, by their order. What
// counts as a break in each is at the head of its file.
import type { Clock } from '../../../kernel/clock.ts';
import { Observation } from '../observation.ts';
import { type IndexedPoll, PolledIndex } from '../polled-index.ts';
import { ReportFilter } from '../report-filter.ts';
import type { SourceSink } from '../source.ts';
import type { TagConfig } from './config.ts';
import type { Poll } from './poller.ts';

export interface SampleStream {
  /** The last answer of a poll came now. */
  answered?(): IndexedPoll;
  /** Whatever the poll says is to be believed. `startedAt`: when it was begun, monotonic ms. */
  take(poll: Poll, startedAt: number, answered: IndexedPoll | undefined): void;
  /** Polls failed, or were missed. */
  gap(reason: string): void;
}

/** How often an unchanged sample is confirmed, so that the watchdog knows the equipment is there. */
const confirmMs = 1000;

/** Confirms now and then, for a sample that stays the same. */
export class Confirmer {
  readonly #observation: Observation;
  readonly #clock: Clock;
  #statedAt = Number.NEGATIVE_INFINITY;

  constructor(observation: Observation, clock: Clock) {
    this.#observation = observation;
    this.#clock = clock;
  }

  stated(): void {
    this.#statedAt = this.#clock.monotonic();
  }

  /** The equipment answers, and has nothing new. */
  confirm(): void {
    if (this.#clock.monotonic() - this.#statedAt < confirmMs) return;
    this.stated();
    this.#observation.confirm();
  }
}

/** Polls in which a sample may lack values, before it is reported as it is. */
const maxIncomplete = 3;

/** A sample with missing values that the equipment keeps in its memory: it is polled again while it is shown. */
export class Incomplete<S> {
  readonly #isSame: (a: S, b: S) => boolean;
  #sample: S | undefined;
  #polls = 0;

  constructor(isSame: (a: S, b: S) => boolean) {
    this.#isSame = isSame;
  }

  /** True where the sample was polled often enough to be reported as it is. */
  note(sample: S): boolean {
    this.#polls = this.#sample !== undefined && this.#isSame(this.#sample, sample) ? this.#polls + 1 : 1;
    this.#sample = sample;
    return this.#polls >= maxIncomplete;
  }

  /** True where another sample was waited for, which is gone now. */
  isOver(sample: S): boolean {
    const isOver = this.#sample !== undefined && !this.#isSame(this.#sample, sample);
    this.#sample = undefined;
    return isOver;
  }
}

export interface PolledStreamOptions {
  readonly sink: SourceSink;
  readonly tags: readonly TagConfig[];
  readonly clock: Clock;
  /** What readings are stamped with. */
  readonly stampClock: Clock;
}

/**
 * Values that we stamp ourselves. A break is a poll that failed or was missed, and a step of our clock: in between
 * anything may have happened unseen.
 */
export class PolledStream implements SampleStream {
  readonly #observation: Observation;
  readonly #index: PolledIndex;
  readonly #clock: Clock;

  constructor({ sink, tags, clock, stampClock }: PolledStreamOptions) {
    this.#observation = new Observation(sink, { filter: new ReportFilter(tags) });
    this.#index = new PolledIndex(stampClock);
    this.#clock = clock;
  }

  answered(): IndexedPoll {
    return this.#index.next();
  }

  take(poll: Poll, _startedAt: number, answered: IndexedPoll | undefined): void {
    const { index, stepped } = answered ?? this.#index.next();
    if (stepped) this.gap(stepped);
    this.#observation.report(index, poll.readings(index), { now: this.#clock.monotonic() });
  }

  gap(reason: string): void {
    this.#observation.lose(reason);
  }
}
