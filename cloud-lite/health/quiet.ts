// A stream by record number sends nothing while nothing is recorded, so its silence says nothing. Its module is asked
// instead, by the direct method `status`, before anybody calls the stream silent: whether the source that feeds it hears
// its equipment. A module that cannot say so of a stream (another make, or more sources than an answer lists) at least
// says, by answering, that it is there.
import { type Clock, sleep } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import { cutText } from '../../kernel/text.ts';
import type { Database } from '../database/database.ts';
import {
  type HubMethods,
  type MethodOutcome,
  type MethodTarget,
  retryAfterOf,
} from '../repair/hub-methods.ts';
import { createHubPace, type HubPace } from '../repair/hub-pace.ts';

export interface QuietOptions {
  readonly database: Database;
  readonly methods: HubMethods;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** See silence.ts. */
  readonly silenceMs: number;
}

/** Streams of one module that have sent nothing for a while, and were not heard of for `quietMs`. */
export interface QuietModule extends MethodTarget {
  readonly streams: readonly {
    readonly streamId: number;
    readonly batchId: string;
    readonly quietMs: number;
  }[];
}

/** What a module says of one stream. */
export type Word =
  /** Its source receives data from its equipment; or the module answered without listing its sources. */
  { readonly kind: 'watched' } | { readonly kind: 'not-watched'; readonly says: string };

const maxCalls = 16;
const maxIntervalMs = 15_000;
const minIntervalMs = 250;
/** Longer than a call can take. */
const claimMs = 45_000;
const maxPauseMs = 900_000;
const maxSaysLength = 200;

/** Until an abort of the signal, then with no call in flight. Never rejects. */
export async function askQuietModules(options: QuietOptions, signal: AbortSignal): Promise<void> {
  const { database, clock, log, silenceMs } = options;
  const pace = createHubPace(maxCalls, clock, options.random);
  const intervalMs = Math.min(maxIntervalMs, Math.max(100, silenceMs / 8));
  const calls = new Set<Promise<void>>();
  while (!signal.aborted) {
    let asked = 0;
    try {
      const modules = await claimQuiet(database, clock.now(), silenceMs, pace.room(calls.size));
      asked = modules.length;
      for (const module of modules) {
        const call = askModule(options, module, pace, signal)
          .catch((error: unknown) => {
            if (signal.aborted) return;
            log.error(
              { code: 'monitor-failed', ...nameOf(module), err: describeError(error) },
              'its status could not be read; retrying',
            );
          })
          .finally(() => calls.delete(call));
        calls.add(call);
      }
    } catch (error) {
      if (!signal.aborted)
        log.error(
          { code: 'monitor-failed', err: describeError(error) },
          'quiet streams could not be looked up; retrying',
        );
    }
    await sleep(clock, asked > 0 ? minIntervalMs : intervalMs, signal).catch(() => {});
  }
  await Promise.allSettled(calls);
}

/** Modules to ask now, `limit` at most, each for one instance only. Asked early enough to be known before it counts. */
export async function claimQuiet(
  database: Database,
  now: number,
  silenceMs: number,
  limit: number,
): Promise<readonly QuietModule[]> {
  if (limit <= 0) return [];
  const rows = await database.query<{
    id: number;
    device_id: string;
    module_id: string;
    batch_id: string;
    quiet_ms: number;
  }>(
    `${claimed('$4::int8', '$3')}
     select s.id, s.device_id, s.module_id, s.batch_id, $1::int8 - greatest(s.heard_at, w.heard_at) as quiet_ms
       from claimed join stream s on s.id = claimed.stream_id left join stream_word w on w.stream_id = s.id`,
    [now, silenceMs, limit, claimMs],
  );
  const modules = Map.groupBy(rows, (row) => JSON.stringify([row.device_id, row.module_id]));
  return [...modules.values()].map((of) => ({
    deviceId: of[0]!.device_id,
    moduleId: of[0]!.module_id,
    streams: of.map(({ id, batch_id, quiet_ms }) => ({ streamId: id, batchId: batch_id, quietMs: quiet_ms })),
  }));
}

/** SQL, `$1` is now and `$2` the time of silence: what is due is asked for, and due again after `pause`. */
const claimed = (pause: string, modules: string) => `with quiet as (
    select s.id, s.device_id, s.module_id, coalesce(w.due_at, 0) as due_at
      from stream s left join stream_word w on w.stream_id = s.id
     where s.index_kind = 'sequence' and s.late_of is null and s.messages > 0
       and s.heard_at <= $1::int8 - $2::int8 / 2 and coalesce(w.due_at, 0) <= $1
  ), module as (
    select device_id, module_id from quiet group by device_id, module_id order by min(due_at) limit ${modules}
  ), claimed as (
    insert into stream_word as w (stream_id, due_at, unanswered_since)
    select id, $1::int8 + ${pause}, $1::int8 from quiet join module using (device_id, module_id) order by id
    on conflict (stream_id) do update
       set due_at = excluded.due_at,
           -- What nobody asked for long, since no detector ran, was not asked in vain.
           unanswered_since = case when w.due_at < $1::int8 - $2::int8 then $1::int8
                                   else coalesce(w.unanswered_since, $1::int8) end
     where w.due_at <= $1
    returning stream_id
  )`;

/** The hub refuses calls: this call, and all that are due, count as tried. */
async function noteRefusal(
  database: Database,
  { streams }: QuietModule,
  now: number,
  silenceMs: number,
  pauseMs: number,
): Promise<void> {
  await database.transaction(async (session) => {
    const ids = streams.map(({ streamId }) => streamId);
    await session.query('update stream_word set due_at = $1 where stream_id = any($2::int8[])', [now, ids]);
    const sql = `${claimed('$3::int8', 'null')} select count(*) from claimed`;
    await session.query(sql, [now, silenceMs, pauseMs]);
  });
}

/** Asks the module, and stores its answer. Rejects when the database is away, or the signal aborts: the module is then asked again. */
export async function askModule(
  { database, methods, clock, log, metrics, silenceMs }: QuietOptions,
  module: QuietModule,
  pace: HubPace,
  signal: AbortSignal,
): Promise<void> {
  // What is said counts from before it was asked: later may be otherwise.
  const at = clock.now();
  const outcome = await methods.call(module, 'status', {}, signal);
  metrics.count('holdfast_status_calls_total', { outcome: outcome.kind });
  if (outcome.kind === 'throttled' || outcome.kind === 'unauthorised') {
    const retryAfterMs = retryAfterOf(outcome);
    pace.refused(retryAfterMs);
    const pauseMs = Math.max(retryAfterMs ?? 0, claimMs);
    return noteRefusal(database, module, clock.now(), silenceMs, pauseMs);
  }
  pace.took();
  // The hub's own trouble says nothing of the module.
  if (outcome.kind === 'hub-failed') return;
  const read = outcome.kind === 'answered' ? readStatus(outcome) : undefined;
  if (outcome.kind === 'unreachable') log.debug({ ...nameOf(module), why: outcome.detail }, 'no status');
  const words = module.streams.map(({ streamId, batchId, quietMs }) => {
    const word = read?.(batchId);
    const pauseMs = read ? silenceMs / 2 : Math.min(maxPauseMs, Math.max(silenceMs / 2, quietMs / 10));
    return {
      streamId,
      dueAt: Math.round(at + pauseMs),
      isWatched: word?.kind === 'watched',
      says: word?.kind === 'not-watched' ? word.says : null,
    };
  });
  await database.query(
    `update stream_word w
        set asked_at = greatest(w.asked_at, $1), unanswered_since = null, due_at = x.due_at, says = x.says,
            heard_at = case when x.is_watched then greatest(w.heard_at, $1) else w.heard_at end
       from unnest($2::int8[], $3::int8[], $4::bool[], $5::text[]) as x(stream_id, due_at, is_watched, says)
      where w.stream_id = x.stream_id`,
    [
      at,
      words.map(({ streamId }) => streamId),
      words.map(({ dueAt }) => dueAt),
      words.map(({ isWatched }) => isWatched),
      words.map(({ says }) => says),
    ],
  );
}

/**
 * Reads the answer to `status` (docs/METHODS.md): what it says of a stream. Whatever cannot be read as
 * one says only that the module is there; an error does not.
 */
export function readStatus({ status, payload }: Extract<MethodOutcome, { kind: 'answered' }>) {
  // A module of another make, which has no such method. Any other error says of its sources nothing, and that all is not well.
  const isError = status !== 200 && status !== 501;
  if (isError)
    return (_: string): Word => ({ kind: 'not-watched', says: `its status is an error, ${status}` });
  const { sources, totals } = ((status === 200 ? payload : undefined) ?? {}) as StatusAnswer;
  const listed = new Map<unknown, SourceAnswer>();
  if (Array.isArray(sources))
    for (const source of sources) listed.set((source as SourceAnswer)?.batchId, source);
  // Of more sources than an answer lists, those that are left out may be well.
  const isWhole = Array.isArray(sources) && Number(totals?.sources ?? Number.NaN) <= sources.length;
  return (batchId: string): Word => {
    const source = listed.get(batchId);
    if (source === undefined)
      return isWhole ? { kind: 'not-watched', says: 'no source feeds it' } : { kind: 'watched' };
    if (source.phase === 'connected' || typeof source.phase !== 'string') return { kind: 'watched' };
    const { code, message } = source.lastError ?? {};
    const error = [code, message].filter((text) => typeof text === 'string').join(', ');
    return {
      kind: 'not-watched',
      says: cutText(`${source.phase}${error === '' ? '' : `: ${error}`}`, maxSaysLength),
    };
  };
}

interface StatusAnswer {
  readonly sources?: unknown;
  readonly totals?: { readonly sources?: unknown };
}

interface SourceAnswer {
  readonly batchId?: unknown;
  readonly phase?: unknown;
  readonly lastError?: { readonly code?: unknown; readonly message?: unknown };
}

const nameOf = ({ deviceId, moduleId }: MethodTarget) => ({ device: deviceId, module: moduleId });
