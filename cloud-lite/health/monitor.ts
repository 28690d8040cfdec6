// Looks after the fleet's health: silence, gauges, old history.
import { type Clock, sleep } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Database, Session } from '../database/database.ts';
import { readSummary } from '../ledger/summary.ts';
import { judgeAway } from './away.ts';
import { settleFutureStamps } from './future-stamps.ts';
import { deleteEmptyStreams, deleteOldHistory } from './housekeeping.ts';
import { judgeLasting } from './lasting.ts';
import { judgeLosses } from './losses.ts';
import { judgeRefused } from './refused.ts';
import { judgeSilence } from './silence.ts';
import { judgeUnread } from './unread.ts';

export interface MonitorOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** A stream that says nothing of the last so many ms is silent. */
  readonly silenceMs: number;
  /** A gap that is open, or a device that cannot be called, for so many ms is told of. */
  readonly lastsMs: number;
  /** The longest time that an open request waits for anything. */
  readonly longestMs: number;
  /** History of gaps, requests, alerts and changes is kept for this long. */
  readonly historyMs: number;
}

export interface Monitor {
  /** Resolves after an abort of the signal. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

const maxIntervalMs = 15_000;
const historyIntervalMs = 600_000;
/** A machine that has just begun may not know the time yet: what looks like the future is not put back to its past. */
const firstStampsMs = 300_000;
/** A clock that is slewed goes back by less between two looks. */
const maxBackMs = 1000;
// An arbitrary constant that is used nowhere else.
const monitorLock = 7_238_543;

export function createMonitor(options: MonitorOptions): Monitor {
  const { database, clock, log, metrics, silenceMs } = options;
  const intervalMs = Math.min(maxIntervalMs, Math.max(100, silenceMs / 4));
  let historyDueAt = 0;
  /** Streams, by id: which of them to look at next. */
  let lookedUpTo = 0;
  let stampsDueAt = clock.monotonic() + firstStampsMs;
  let last = { now: clock.now(), at: clock.monotonic() };

  const judgements: readonly ((session: Session, now: number) => Promise<void>)[] = [
    (session, now) => judgeSilence(session, now, silenceMs),
    (session, now) => judgeUnread(session, now, silenceMs),
    (session, now) => judgeLasting(session, now, options.lastsMs),
    judgeLosses,
    judgeAway,
    judgeRefused,
  ];

  const inTurn = (judge: (typeof judgements)[number]) => () =>
    database.transaction(async (session) => {
      const [row] = await session.query<{ locked: boolean }>(
        'select pg_try_advisory_xact_lock($1) as locked',
        [monitorLock],
      );
      if (row!.locked) await judge(session, clock.now());
    });

  const clean = async () => {
    if (clock.monotonic() < historyDueAt) return;
    const isOld = await deleteOldHistory(database, clock.now(), options.historyMs);
    lookedUpTo = await deleteEmptyStreams(database, clock.now(), options.historyMs, lookedUpTo);
    const more = isOld || lookedUpTo > 0;
    historyDueAt = clock.monotonic() + (more ? 0 : historyIntervalMs);
  };

  /** After the start, now and then, and when the clock was put back. */
  const settleStamps = async () => {
    const [now, at] = [clock.now(), clock.monotonic()];
    const putBack = now - last.now < at - last.at - maxBackMs;
    last = { now, at };
    if (putBack) stampsDueAt = 0;
    if (at < stampsDueAt) return;
    const count = await settleFutureStamps(database, now, options.longestMs);
    if (count > 0)
      log.warn(
        { code: 'clock-was-ahead', count },
        'timestamps in the future were corrected: the clock was ahead',
      );
    stampsDueAt = at + historyIntervalMs;
  };

  // Each by itself: what fails, or has much to do, must not keep the others from being looked after.
  const look = async (signal: AbortSignal) => {
    const gauges = () => showGauges(database, metrics, clock.now());
    for (const work of [...judgements.map(inTurn), settleStamps, gauges, clean]) {
      await work().catch((error: unknown) => {
        if (!signal.aborted)
          log.error(
            { code: 'monitor-failed', err: describeError(error) },
            "a part of the monitor's look failed; the next one tries again",
          );
      });
    }
  };

  return {
    async run(signal) {
      // Not at once: after a start the event hub has yet to be read to its end.
      const pause = () => sleep(clock, intervalMs, signal).catch(() => {});
      await pause();
      while (!signal.aborted) {
        await look(signal);
        await pause();
      }
    },
  };
}

async function showGauges(database: Database, metrics: Metrics, now: number): Promise<void> {
  const summary = await readSummary(database, now);
  const gauges = {
    holdfast_streams: summary.streams,
    holdfast_devices: summary.devices,
    holdfast_silent_streams: summary.silentStreams,
    holdfast_silent_devices: summary.silentDevices,
    holdfast_streams_with_gaps: summary.streamsWithGaps,
    holdfast_open_gaps: summary.openGaps,
    holdfast_pending_requests: summary.pendingRequests,
    holdfast_accepted_requests: summary.acceptedRequests,
    holdfast_unreachable_requests: summary.unreachableRequests,
  };
  for (const [name, value] of Object.entries(gauges)) metrics.gauge(name, value);
  // A large fleet always has a gap that is open; what matters is one that stays.
  const [oldest] = await database.query<{ since: number | null }>(
    `select min(opened_at) as since from gap where state = 'open'`,
  );
  metrics.gauge('holdfast_oldest_open_gap_seconds', Math.max(0, now - (oldest?.since ?? now)) / 1000);
  for (const { partitionId, newestEventAt, idleAt } of summary.partitions) {
    const knownUntil = Math.max(newestEventAt, idleAt);
    if (knownUntil > 0) {
      metrics.gauge('holdfast_ingest_behind_seconds', (now - knownUntil) / 1000, { partition: partitionId });
    }
  }
}
