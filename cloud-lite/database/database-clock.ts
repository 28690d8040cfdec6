// The database's time, used for everything that is compared with a stamp in the database. So several instances share one
// clock, and a machine whose own clock is or was wrong writes no wrong stamp.
//
// The database is asked now and then; in between, the monotonic clock carries its answer on, so that the time is available
// at once. A new answer is not accepted at once either: an embedded database has the machine's clock, and a server's clock
// may jump too. An answer that differs from the carried time counts once it has been repeated for some minutes.
import { type Clock, sleep } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Session } from './database.ts';

export interface DatabaseClock extends Clock {
  /** Asks the database. The first answer is taken as it is. @throws HoldfastError as `query` does. */
  read(): Promise<void>;
  /** Asks on, until the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

const intervalMs = 30_000;
/** A clock that jumped is looked at more often. */
const doubtIntervalMs = 10_000;
/** For so long another time must be said, without a break, before it is taken. */
export const confirmMs = 120_000;
/** By how much two readings may differ besides the time that they took: slewing and drift of clocks. */
const toleranceMs = 250;
const drift = 0.001;
/** An answer that took longer says too little. */
const maxTookMs = 2000;

interface Reading {
  /** Database time less monotonic time. */
  readonly offset: number;
  /** Monotonic ms. */
  readonly at: number;
}

export function createDatabaseClock(session: Session, machine: Clock, log: Log): DatabaseClock {
  let taken: Reading | undefined;
  /** The first of those that say another time than is carried, all the same. */
  let doubted: Reading | undefined;

  const agrees = (a: Reading, b: Reading, tookMs: number) =>
    Math.abs(a.offset - b.offset) <= toleranceMs + tookMs + Math.abs(a.at - b.at) * drift;

  const judge = (reading: Reading, tookMs: number) => {
    if (taken === undefined || agrees(taken, reading, tookMs)) {
      taken = reading;
      doubted = undefined;
      return;
    }
    const stepMs = Math.round(reading.offset - taken.offset);
    if (doubted === undefined || !agrees(doubted, reading, tookMs)) {
      doubted = reading;
      log.warn(
        { code: 'database-clock-jumped', stepMs },
        "the database's clock jumped: it is ignored until it has been stable",
      );
    } else if (reading.at - doubted.at >= confirmMs) {
      taken = reading;
      doubted = undefined;
      log.warn(
        { code: 'database-clock-jumped', stepMs },
        "the database's clock has been stable since it jumped: it is used again",
      );
    }
  };

  const read = async () => {
    const from = machine.monotonic();
    const [row] = await session.query<{ now: number }>(
      'select floor(extract(epoch from clock_timestamp()) * 1000)::int8 as now',
    );
    const at = machine.monotonic();
    if (at - from > maxTookMs && taken !== undefined) return;
    judge({ offset: row!.now - (from + at) / 2, at }, at - from);
  };

  return {
    now: () => Math.floor(taken === undefined ? machine.now() : taken.offset + machine.monotonic()),
    monotonic: () => machine.monotonic(),
    setTimer: (delayMs, callback) => machine.setTimer(delayMs, callback),
    read,
    async run(signal) {
      while (!signal.aborted) {
        const pauseMs = doubted === undefined ? intervalMs : doubtIntervalMs;
        await sleep(machine, pauseMs, signal).catch(() => {});
        if (signal.aborted) return;
        await read().catch((error: unknown) => {
          log.debug({ err: describeError(error) }, "the database's time could not be read");
        });
      }
    },
  };
}
