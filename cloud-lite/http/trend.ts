// The fleet's figures over the last hour, for plots: sampled from the database into memory, so that they
// are of the whole fleet whichever instance is asked, and start over with the process.
import type { Timer } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Database } from '../database/database.ts';
import { readSummary } from '../ledger/summary.ts';
import type { ApiOptions, ApiServer } from './api.ts';
import * as schemas from './schemas.ts';

export interface TrendSample {
  /** UTC epoch ms. */
  readonly at: number;
  /** Totals so far. */
  readonly messages: number;
  readonly readings: number;
  readonly openGaps: number;
  readonly openRequests: number;
  /** How far reading the hub is behind, by the slowest partition. Null before anything was read. */
  readonly behindMs: number | null;
  /** Age of the newest data: in the middle of the time streams that send, and the oldest of all: silence counts until it ends. */
  readonly ageMs: number | null;
  readonly worstAgeMs: number | null;
}

export const trendIntervalMs = 5000;
const maxSamples = 720;

export function addTrend(server: ApiServer, { clock, views, log }: ApiOptions): void {
  const samples: TrendSample[] = [];
  let timer: Timer | undefined;
  let closed = false;

  const sample = async () => {
    try {
      samples.push(await readSample(views, clock.now()));
      if (samples.length > maxSamples) samples.shift();
    } catch (error) {
      log.debug({ err: describeError(error) }, 'the trend could not be sampled');
    }
    if (!closed) timer = clock.setTimer(trendIntervalMs, sample);
  };

  server.addHook('onListen', async () => void sample());
  server.addHook('onClose', async () => {
    closed = true;
    timer?.cancel();
  });

  server.get(
    '/trend',
    {
      schema: {
        summary: "The fleet's figures over the last hour",
        response: { 200: schemas.trend, 429: schemas.problem },
      },
    },
    async () => ({ intervalMs: trendIntervalMs, samples }),
  );
}

async function readSample(database: Database, now: number): Promise<TrendSample> {
  const summary = await readSummary(database, now);
  const [age] = await database.query<{ middle: number | null; worst: number | null }>(
    `select percentile_disc(0.5) within group (order by age) filter (where sends) as middle, max(age) as worst
       from (select $1 - s.newest as age, q.stream_id is null as sends from stream s
               left join silent_stream q on q.stream_id = s.id
              where s.index_kind = 'time' and s.newest is not null) a`,
    [now],
  );
  const known = summary.partitions
    .map(({ newestEventAt, idleAt }) => Math.max(newestEventAt, idleAt))
    .filter((at) => at > 0);
  return {
    at: now,
    messages: summary.messages,
    readings: summary.readings,
    openGaps: summary.openGaps,
    openRequests: summary.pendingRequests + summary.acceptedRequests,
    behindMs: known.length === 0 ? null : Math.max(0, now - Math.min(...known)),
    ageMs: age?.middle ?? null,
    worstAgeMs: age?.worst ?? null,
  };
}
