// One session of polling: sends polls on schedule, and passes the answers to the stream (sample-stream.ts).
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import { maxLookWaitMs } from '../line/line-time.ts';
import { createPollSchedule, type PollSchedule } from '../line/poll-schedule.ts';
import type { Link } from './link.ts';
import { ModbusException, UnprovenError } from './modbus-errors.ts';
import type { Poll, Poller } from './poller.ts';
import { untilQuiet } from './quiet.ts';
import type { SampleStream } from './sample-stream.ts';

/** Tags that are polled together. Equipment that stamps its samples has one group. */
export interface PollGroup {
  readonly pollMs: number;
  readonly poller: Poller;
}

export interface PollSessionOptions {
  readonly groups: readonly PollGroup[];
  readonly stream: SampleStream;
  readonly name: string;
  readonly unit: number;
  readonly timeoutMs: number;
  readonly link: Link;
  /** Others take turns on the same line. */
  readonly isShared: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Failed polls in a row after which the session ends: the supervisor's growing waits then spare a dead unit. */
export const maxFailures = 3;

interface Pace {
  readonly poller: Poller;
  readonly schedule: PollSchedule;
  failures: number;
  /** One was answered with values in this session. */
  wasGood: boolean;
  /** Times that what was refused was not asked for again, since the line was in use. */
  postponed: number;
  isRetrying: boolean;
  /** Polls of it that may still be moved to where the line is free. */
  movable: number;
}

/** How often other sources go first. */
const maxPostponed = 10;
/** Polls at the beginning of a session that show where the line is free: later ones would drift with whatever keeps it busy. */
const movablePolls = 3;

export class ModbusSession {
  readonly #options: PollSessionOptions;
  readonly #labels: { readonly source: string };
  /** Since when polls wait for silence, monotonic ms. */
  #waitingSince: number | undefined;
  #trouble: string | undefined;
  #paces: readonly Pace[] = [];

  constructor(options: PollSessionOptions) {
    this.#options = options;
    this.#labels = { source: options.name };
  }

  /** Why polls fail just now, for people. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Polls until the session is lost or told to stop; rejects in either case. */
  async run(signal: AbortSignal): Promise<never> {
    const { groups, clock } = this.#options;
    const paces = groups.map(({ poller, pollMs }): Pace => {
      // A unit that has never answered is not asked three times before the supervisor's waits spare the line.
      return {
        poller,
        schedule: createPollSchedule(clock, pollMs),
        failures: maxFailures - 1,
        wasGood: false,
        postponed: 0,
        isRetrying: false,
        movable: movablePolls,
      };
    });
    this.#paces = paces;
    for (;;) {
      const next = paces.reduce((a, b) => (b.schedule.dueAt < a.schedule.dueAt ? b : a));
      const { dueAt } = next.schedule;
      this.#onMissed(await next.schedule.next(signal));
      await this.#pollOnce(
        next,
        dueAt,
        () => Math.min(...paces.map(({ schedule }) => schedule.dueAt)),
        signal,
      );
    }
  }

  async #pollOnce(pace: Pace, dueAt: number, nextDueAt: () => number, signal: AbortSignal): Promise<void> {
    const { link, name, stream, unit, clock } = this.#options;
    const { client, turns, units } = link;
    const { poller } = pace;
    link.time.plan(name, nextDueAt());
    const strays = units.strays(unit);
    let startedAt = 0;
    try {
      const poll = await this.#inTurn(() => {
        startedAt = clock.monotonic();
        this.#onStarted(pace, startedAt - dueAt);
        return poller.poll(client);
      }, signal);
      // What went by while this poll was under way lies before its answer, so the break comes before it too: of all paces, for
      // what is stated is stated of all tags.
      this.#onMissed(this.#paces.reduce((missed, { schedule }) => missed + schedule.ended(), 0));
      const answered = stream.answered?.();
      // The line is free meanwhile.
      await untilQuiet({ units, unit, clock, strays, limitMs: nextDueAt() - clock.monotonic() }, signal);
      stream.take(poll, startedAt, answered);
      pace.failures = 0;
      pace.wasGood = true;
      this.#trouble = undefined;
      this.#waitingSince = undefined;
      if (poller.isRetryDue && !pace.isRetrying) {
        if (!this.#options.isShared) await turns.run('live', () => poller.retryRefused(client), signal);
        else this.#retryBesides(pace, nextDueAt(), signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      // A unit that refuses for a while is there: a new connection would change nothing, and the wait before it be a hole.
      const isThere = pace.wasGood && error instanceof ModbusException && error.isOfUnit;
      if (!this.#isWaiting(error) && !isThere) pace.failures += 1;
      this.#onFailure(error);
      if (client.lost) throw client.lost;
      // Some devices lose what they are asked in the first second or two: a new connection would begin that anew.
      const isLost = error instanceof HoldfastError && error.code === 'modbus-timeout';
      if (isLost && link.isDeaf) return this.#pollOnce(pace, clock.monotonic(), nextDueAt, signal);
      if (pace.failures >= maxFailures) throw error;
    }
  }

  async #inTurn(work: () => Promise<Poll>, signal: AbortSignal): Promise<Poll> {
    const { link, name, unit, isShared, clock, timeoutMs } = this.#options;
    const { turns, time, units } = link;
    if (!isShared) return turns.run('live', work, signal);
    const timed = async () => {
      const startedAt = clock.monotonic();
      try {
        return await work();
      } finally {
        time.polled(name, unit, clock.monotonic() - startedAt, units.isAlive(unit));
        link.look = undefined;
      }
    };
    const overdueAt = clock.monotonic() + maxLookWaitMs;
    while (time.isSilent(name, units.isNew(unit))) {
      const isOverdue = clock.monotonic() >= overdueAt;
      const patience = new AbortController();
      const timer = isOverdue
        ? undefined
        : clock.setTimer(overdueAt - clock.monotonic(), () => patience.abort());
      const look = () => {
        timer?.cancel();
        const lookMs = time.lookMs(name, timeoutMs, isOverdue);
        if (lookMs === undefined) return Promise.resolve(undefined);
        const now = clock.monotonic();
        link.look = { from: now, until: now + lookMs };
        return timed();
      };
      const either = AbortSignal.any([signal, patience.signal]);
      const poll = await turns.run(isOverdue ? 'live' : 'look', look, either).catch((error: unknown) => {
        timer?.cancel();
        if (signal.aborted || !patience.signal.aborted) throw error;
      });
      if (poll) return poll;
      if (!patience.signal.aborted) await sleep(clock, time.untilNextMs(name), signal);
    }
    return turns.run('live', timed, signal);
  }

  /**
   * Half way to the next poll, where the line is idle: what is not answered takes a whole time limit, and others that share the
   * line are polled at about the same time as we are. Nobody waits for it, so that the unit keeps its place among them.
   */
  #retryBesides(pace: Pace, nextDueAt: number, signal: AbortSignal): void {
    pace.isRetrying = true;
    this.#retryWhenIdle(pace, nextDueAt, signal)
      // What became of it shows in the next poll.
      .catch(() => {})
      .finally(() => {
        pace.isRetrying = false;
      });
  }

  async #retryWhenIdle(pace: Pace, nextDueAt: number, signal: AbortSignal): Promise<void> {
    const { link, clock } = this.#options;
    const leftMs = nextDueAt - clock.monotonic();
    if (leftMs > 0) await sleep(clock, leftMs / 2, signal);
    if (link.turns.isBusy && pace.postponed < maxPostponed) {
      pace.postponed += 1;
      return;
    }
    pace.postponed = 0;
    await link.turns.run('live', () => pace.poller.retryRefused(link.client), signal);
  }

  /** The session stays open while it waits for silence: closing the line would start the wait again. */
  #isWaiting(error: unknown): boolean {
    const { link, unit, clock } = this.#options;
    const isOutOfStep = error instanceof HoldfastError && error.code === 'modbus-out-of-step';
    // One that may have no loopback at all is asked on until that is known; one that had proven itself is spared.
    const isWaiting = isOutOfStep && (!(error instanceof UnprovenError) || link.units.isNew(unit));
    const now = clock.monotonic();
    this.#waitingSince = isWaiting ? (this.#waitingSince ?? now) : undefined;
    // Somebody else speaks all the time.
    return isWaiting && now - this.#waitingSince! < 2 * link.units.silenceMs(unit);
  }

  #onStarted(pace: Pace, lateMs: number): void {
    pace.movable -= 1;
    // A poll that is later than that may be in the slot of another.
    if (pace.movable >= 0 && lateMs > 0 && lateMs < pace.schedule.periodMs / 2) pace.schedule.move(lateMs);
    this.#options.metrics.gauge(
      'holdfast_modbus_poll_lateness_seconds',
      Math.max(0, lateMs) / 1000,
      this.#labels,
    );
  }

  #onMissed(missed: number): void {
    if (missed === 0) return;
    const { link, name } = this.#options;
    link.time.missed(name);
    this.#count('holdfast_modbus_missed_polls_total', missed);
    this.#options.stream.gap('poll-missed');
  }

  #onFailure(error: unknown): void {
    const reason = error instanceof HoldfastError ? error.code : 'poll-failed';
    this.#count('holdfast_modbus_failed_polls_total');
    this.#trouble = `polls fail: ${describeError(error)}`;
    this.#options.log.debug({ reason }, this.#trouble);
    this.#options.stream.gap(reason);
  }

  #count(name: string, by = 1): void {
    this.#options.metrics.count(name, this.#labels, by);
  }
}
