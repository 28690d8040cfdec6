// One session of polling, and the statements about observation that follow from it.
//
// What counts as a break. Values that we stamp ourselves: a poll that failed, a poll that was missed, and a
// step of our clock, since in between anything may have happened unseen. Samples that the equipment counts:
// a jump in its count, and nothing else: a poll that failed has lost nothing if the count goes on by one.
// Samples that it stamps but does not count: as the first, for nobody can tell. Where its numbers are the index, they
// alone decide.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import { Continuation } from '../continuation.ts';
import { createPollSchedule, type PollSchedule } from '../line/poll-schedule.ts';
import { Observation } from '../observation.ts';
import { type IndexedPoll, PolledIndex } from '../polled-index.ts';
import { ReportFilter } from '../report-filter.ts';
import type { RecordCounter } from '../serial/record-counter.ts';
import type { SourceSink } from '../source.ts';
import type { TagConfig } from './config.ts';
import type { Link } from './link.ts';
import { garbage } from './modbus-errors.ts';
import type { Poll, Poller } from './poller.ts';
import { compareStamps, type Stamp } from './stamp-continuity.ts';

/** Tags that are polled together. Equipment that stamps its samples has one group. */
export interface PollGroup {
  readonly pollMs: number;
  readonly poller: Poller;
}

export interface PollSessionOptions {
  readonly groups: readonly PollGroup[];
  readonly tags: readonly TagConfig[];
  readonly name: string;
  readonly unit: number;
  readonly link: Link;
  readonly sink: SourceSink;
  /** From record numbers to positions, where these order the stream. */
  readonly counter?: RecordCounter;
  readonly clock: Clock;
  /** What readings are stamped with that the equipment does not stamp. */
  readonly stampClock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Failed polls in a row after which the session ends: the supervisor's growing waits then spare a dead unit. */
export const maxFailures = 3;
/** How often an unchanged sample is confirmed, so that the watchdog knows the equipment is there. */
const confirmMs = 1000;

interface Pace {
  readonly poller: Poller;
  readonly schedule: PollSchedule;
  failures: number;
}

export class PollSession {
  readonly #options: PollSessionOptions;
  readonly #observation: Observation;
  readonly #polledIndex: PolledIndex;
  readonly #isCounted: boolean;
  #lastStamp: Stamp | undefined;
  #lastStatementAt = 0;

  constructor(options: PollSessionOptions) {
    this.#options = options;
    this.#observation = new Observation(options.sink, { filter: new ReportFilter(options.tags) });
    this.#polledIndex = new PolledIndex(options.stampClock);
    this.#isCounted = options.groups[0]?.poller.stamp?.number !== undefined;
  }

  /** Polls until the session is lost or told to stop; rejects in either case. */
  async run(signal: AbortSignal): Promise<never> {
    const { groups, clock } = this.#options;
    const paces = groups.map(({ poller, pollMs }): Pace => {
      // A unit that has never answered is not asked three times before the supervisor's waits spare the line.
      return { poller, schedule: createPollSchedule(clock, pollMs), failures: maxFailures - 1 };
    });
    for (;;) {
      const next = paces.reduce((a, b) => (b.schedule.dueAt < a.schedule.dueAt ? b : a));
      this.#onMissed(await next.schedule.next(signal));
      await this.#pollOnce(next, () => Math.min(...paces.map(({ schedule }) => schedule.dueAt)), signal);
    }
  }

  async #pollOnce(pace: Pace, nextDueAt: () => number, signal: AbortSignal): Promise<void> {
    const { client, turns, units } = this.#options.link;
    const { poller, schedule } = pace;
    const strays = units.strays(this.#options.unit);
    try {
      const poll = await turns.run('live', () => poller.poll(client), signal);
      // What went by while this poll was under way lies before its answer, so the break comes before it too.
      this.#onMissed(schedule.ended());
      const polled = poller.stamp ? undefined : this.#polledIndex.next();
      await this.#untilQuiet(strays, nextDueAt(), signal);
      this.#onPoll(poll, poller, polled);
      pace.failures = 0;
      if (poller.isRetryDue) await turns.run('live', () => poller.retryRefused(client), signal);
    } catch (error) {
      signal.throwIfAborted();
      pace.failures += 1;
      this.#onFailure(error);
      if (client.lost) throw client.lost;
      if (pace.failures >= maxFailures) throw error;
    }
  }

  /**
   * Where answers do not say which request they belong to, another one that comes behind them is the true one of this
   * poll, and one of the poll's was somebody else's. The line is free meanwhile.
   */
  async #untilQuiet(strays: number, nextDueAt: number, signal: AbortSignal): Promise<void> {
    const { link, unit, clock } = this.#options;
    const quietMs = Math.min(link.units.quietMs(unit), nextDueAt - clock.monotonic());
    if (quietMs > 0) await sleep(clock, quietMs, signal);
    if (link.units.strays(unit) === strays) return;
    throw garbage(
      `more answers of unit ${unit} came than it was asked for: does another master use the line?`,
    );
  }

  #onPoll(poll: Poll, poller: Poller, polled: IndexedPoll | undefined): void {
    if (poll.numbered) this.#onNumbered(poll, poll.numbered.number);
    else if (poll.stamp) this.#onStamped(poll, poll.stamp, poller.stamp?.number?.modulus ?? 1);
    else if (polled) this.#onPolled(poll, polled);
  }

  #onPolled(poll: Poll, { index, stepped }: IndexedPoll): void {
    if (stepped) this.#break(stepped);
    this.#report(index, poll);
  }

  #onStamped(poll: Poll, stamp: Stamp, modulus: number): void {
    const continuity = compareStamps(this.#lastStamp, stamp, modulus);
    if (continuity.kind === 'unchanged') {
      this.#confirm();
      return;
    }
    this.#lastStamp = stamp;
    if (continuity.kind === 'repeated-stamp') {
      this.#count('holdfast_modbus_repeated_stamps_total');
      this.#break('repeated-stamp');
      return;
    }
    if (continuity.broken) this.#break(continuity.broken);
    this.#report(stamp.timestamp, poll);
  }

  /** Whatever the equipment's clock says: the next number follows, any other is a break. */
  #onNumbered(poll: Poll, number: number): void {
    const counter = this.#options.counter!;
    const before = counter.position;
    const step = counter.place(number);
    if (step.kind !== 'placed') {
      if (step.kind === 'held') this.#count('holdfast_modbus_doubted_numbers_total');
      this.#confirm();
      return;
    }
    if (step.broken) this.#break(step.broken);
    this.#report(step.position, poll, Continuation.nextNumber(before, step.position));
  }

  #report(index: number, poll: Poll, continues?: Continuation): void {
    const now = this.#options.clock.monotonic();
    const number = this.#options.counter?.mark;
    this.#observation.report(index, poll.readings(index), { now, continues, number });
    this.#lastStatementAt = now;
  }

  /** The equipment answers but has nothing new. */
  #confirm(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#lastStatementAt < confirmMs) return;
    this.#lastStatementAt = now;
    this.#observation.confirm();
  }

  #onMissed(missed: number): void {
    if (missed === 0) return;
    this.#count('holdfast_modbus_missed_polls_total', missed);
    if (!this.#isCounted) this.#break('poll-missed');
  }

  #onFailure(error: unknown): void {
    const reason = error instanceof HoldfastError ? error.code : 'poll-failed';
    this.#count('holdfast_modbus_failed_polls_total');
    this.#options.log.debug({ reason }, `poll failed: ${describeError(error)}`);
    if (!this.#isCounted) this.#break(reason);
  }

  #break(reason: string): void {
    this.#observation.lose(reason);
  }

  #count(name: string, by = 1): void {
    this.#options.metrics.count(name, { source: this.#options.name }, by);
  }
}
