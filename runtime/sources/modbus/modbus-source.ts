// A Modbus unit as a source: polls on schedule, states what it observed, and answers for the equipment's own
// history over the same connection.
//
// What counts as a break. Values that we stamp ourselves: a poll that failed, a poll that was missed, and a
// step of our clock, since in between anything may have happened unseen. Samples that the equipment counts:
// a jump in its count, and nothing else: a poll that failed has lost nothing if the count goes on by one.
// Samples that it stamps but does not count: as the first, for nobody can tell.
import type { Clock } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { Source, SourceHistory, SourceSink } from '../source.ts';
import type { ModbusSourceConfig } from './config.ts';
import { createHistory } from './history.ts';
import { createModbusLinks, type Link, type ModbusLinks } from './link.ts';
import { Observation } from './observation.ts';
import { createPollSchedule } from './poll-schedule.ts';
import { PolledIndex } from './polled-index.ts';
import { createPoller, type Poll, type Poller } from './poller.ts';
import { mapHistory } from './register-map.ts';
import { compareStamps, type Stamp } from './stamp-continuity.ts';

export interface ModbusSourceDeps {
  readonly clock: Clock;
  /** Bound to the source's name. */
  readonly log: Log;
  readonly metrics: Metrics;
  /** Give all sources of a process the same, so that those on one line can share it. Default: one of its own. */
  readonly links?: ModbusLinks;
}

export function createModbusSource(config: ModbusSourceConfig, deps: ModbusSourceDeps): Source {
  return new ModbusSource(config, deps);
}

/** Failed polls in a row after which the session ends: the supervisor's growing waits then spare a dead unit. */
const maxFailures = 3;
const silenceMarginMs = 5000;

class ModbusSource implements Source {
  readonly index = 'time';
  readonly silenceLimitMs: number;
  readonly history?: SourceHistory;
  readonly #config: ModbusSourceConfig;
  readonly #deps: ModbusSourceDeps;
  readonly #log: Log;
  readonly #links: ModbusLinks;
  /** Outlives sessions: what the device refuses is not learned again at each reconnect. */
  readonly #poller: Poller;
  #link: Link | undefined;

  constructor(config: ModbusSourceConfig, deps: ModbusSourceDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#log = deps.log;
    this.#links = deps.links ?? createModbusLinks({ clock: deps.clock });
    this.#poller = createPoller({
      config,
      clock: deps.clock,
      onRefusal: (tag, reason) => this.#onRefusal(tag, reason),
    });
    const { pollMs, timeoutMs } = config;
    this.silenceLimitMs =
      maxFailures * (pollMs + timeoutMs * (this.#poller.requests + 1)) + pollMs + silenceMarginMs;
    const history = mapHistory(config);
    if (history) {
      const { unit, maxRegisters } = config;
      const turn = <T>(work: (link: Link) => Promise<T>, signal: AbortSignal) =>
        this.#historyTurn(work, signal);
      this.history = createHistory({ map: history, unit, maxRegisters, turn, log: this.#log });
    }
  }

  async run(sink: SourceSink, signal: AbortSignal): Promise<void> {
    try {
      const link = await this.#links.acquire(this.#config, signal);
      this.#link = link;
      try {
        await new PollSession(this.#config, this.#deps, this.#poller, link, sink).run(signal);
      } finally {
        this.#link = undefined;
        link.release();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #historyTurn<T>(work: (link: Link) => Promise<T>, signal: AbortSignal): Promise<T> {
    const link = this.#link;
    if (!link) {
      const message = `${this.#config.name} is not connected: its history can be read once it is`;
      return Promise.reject(new HoldfastError('source-not-connected', message, { retryable: true }));
    }
    return link.turns.run('history', () => work(link), signal);
  }

  #onRefusal(tag: string, reason: string | undefined): void {
    const { name } = this.#config;
    if (reason === undefined) {
      this.#log.info({ tag }, 'asking again for a tag that the device refused');
      return;
    }
    this.#deps.metrics.count('holdfast_modbus_refused_tags_total', { source: name });
    this.#log.warn({ tag, reason }, `the device refuses this tag: its value is null, quality bad:${reason}`);
  }
}

class PollSession {
  readonly #config: ModbusSourceConfig;
  readonly #deps: ModbusSourceDeps;
  readonly #poller: Poller;
  readonly #link: Link;
  readonly #observation: Observation;
  readonly #polledIndex: PolledIndex;
  readonly #confirmMs: number;
  #lastStamp: Stamp | undefined;
  #lastStatementAt = 0;

  constructor(
    config: ModbusSourceConfig,
    deps: ModbusSourceDeps,
    poller: Poller,
    link: Link,
    sink: SourceSink,
  ) {
    this.#config = config;
    this.#deps = deps;
    this.#poller = poller;
    this.#link = link;
    this.#observation = new Observation(sink);
    this.#polledIndex = new PolledIndex(deps.clock);
    this.#confirmMs = Math.max(config.pollMs, 1000);
  }

  /** Polls until the session is lost or told to stop; rejects in either case. */
  async run(signal: AbortSignal): Promise<never> {
    const { clock } = this.#deps;
    const schedule = createPollSchedule(clock, this.#config.pollMs);
    // A unit that has never answered is not asked three times before the supervisor's waits spare the line.
    let failures = maxFailures - 1;
    for (;;) {
      this.#onMissed(await schedule.next(signal));
      try {
        const poll = await this.#link.turns.run('live', () => this.#poller.poll(this.#link.client), signal);
        // What went by while this poll was under way lies before its answer, so the break comes before it too.
        this.#onMissed(schedule.ended());
        this.#onPoll(poll);
        failures = 0;
        if (this.#poller.isRetryDue)
          await this.#link.turns.run('live', () => this.#poller.retryRefused(this.#link.client), signal);
      } catch (error) {
        signal.throwIfAborted();
        failures += 1;
        this.#onFailure(error);
        if (this.#link.client.lost) throw this.#link.client.lost;
        if (failures >= maxFailures) throw error;
      }
    }
  }

  get #isCounted(): boolean {
    return this.#poller.stamp?.number !== undefined;
  }

  #onPoll(poll: Poll): void {
    if (poll.stamp) this.#onStamped(poll, poll.stamp);
    else this.#onPolled(poll);
  }

  #onPolled(poll: Poll): void {
    const { index, stepped } = this.#polledIndex.next();
    if (stepped) this.#observation.breakOff(stepped);
    this.#report(index, poll);
  }

  #onStamped(poll: Poll, stamp: Stamp): void {
    const continuity = compareStamps(this.#lastStamp, stamp, this.#poller.stamp?.number?.modulus ?? 1);
    if (continuity.kind === 'unchanged') {
      this.#confirm();
      return;
    }
    this.#lastStamp = stamp;
    if (continuity.kind === 'repeated-stamp') {
      this.#count('holdfast_modbus_repeated_stamps_total');
      this.#observation.breakOff('repeated-stamp');
      return;
    }
    if (continuity.broken) this.#observation.breakOff(continuity.broken);
    this.#report(stamp.timestamp, poll);
  }

  #report(index: number, poll: Poll): void {
    this.#observation.report(index, poll.readings(index));
    this.#lastStatementAt = this.#deps.clock.monotonic();
  }

  /** The equipment answers but has nothing new. Said often enough that the watchdog knows it is there. */
  #confirm(): void {
    const now = this.#deps.clock.monotonic();
    if (now - this.#lastStatementAt < this.#confirmMs) return;
    this.#lastStatementAt = now;
    this.#observation.confirm();
  }

  #onMissed(missed: number): void {
    if (missed === 0) return;
    this.#count('holdfast_modbus_missed_polls_total', missed);
    if (!this.#isCounted) this.#observation.breakOff('poll-missed');
  }

  #onFailure(error: unknown): void {
    const reason = error instanceof HoldfastError ? error.code : 'poll-failed';
    this.#count('holdfast_modbus_failed_polls_total');
    this.#deps.log.debug({ reason }, `poll failed: ${describeError(error)}`);
    if (!this.#isCounted) this.#observation.breakOff(reason);
  }

  #count(name: string, by = 1): void {
    this.#deps.metrics.count(name, { source: this.#config.name }, by);
  }
}
