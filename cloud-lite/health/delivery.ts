// Delivers alerts: each at once as a line of the log, and to a webhook where one is configured, at least once; a repeat has
// the same alert id. The webhook has a loop of its own, so that one that hangs delays nothing else.
import { createBackoff } from '../../kernel/backoff.ts';
import { type Clock, sleep } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';

export interface DeliveryOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Takes `{id, at, kind, deviceId, moduleId, batchId, message}` as JSON by POST. */
  readonly webhookUrl?: string | undefined;
  readonly fetch: typeof fetch;
}

/** How often new alerts are looked for. */
const intervalMs = 2000;
const maxLoggedAtOnce = 1000;
const callLimitMs = 10_000;
const atOnce = 20;
/** Longer than all calls of one turn. */
const claimMs = 300_000;
/** With the backoff's ceiling, about a day. */
const maxTries = 30;
/** A webhook that is away for longer gets no old news: they are in the log, and in the API's list. */
const maxAgeMs = 3 * 86_400_000;
/** Pause while the webhook does not answer. */
const awayBackoff = { minMs: 4000, maxMs: 300_000 };

interface AlertRow {
  readonly id: number;
  readonly at: number;
  readonly kind: string;
  readonly device_id: string | null;
  readonly module_id: string | null;
  readonly batch_id: string | null;
  readonly message: string;
  readonly tries: number;
}

const columns = 'id, at, kind, device_id, module_id, batch_id, message, tries';

/** Until an abort of the signal. Never rejects. */
export async function tellAlerts(options: DeliveryOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([
    repeat(options, signal, async () => {
      await logAlerts(options);
      return intervalMs;
    }),
    options.webhookUrl === undefined ? undefined : deliverForEver(options, signal),
  ]);
}

async function deliverForEver(options: DeliveryOptions, signal: AbortSignal): Promise<void> {
  const backoff = createBackoff(awayBackoff, options.random);
  await repeat(options, signal, async () => {
    const isThere = await deliverAlerts(options, signal);
    if (isThere) backoff.reset();
    return isThere ? intervalMs : backoff.next();
  });
}

/** @param turn says how long to pause after it, ms. */
async function repeat(
  { clock, log }: DeliveryOptions,
  signal: AbortSignal,
  turn: () => Promise<number>,
): Promise<void> {
  while (!signal.aborted) {
    const pauseMs = await turn().catch((error) => {
      if (!signal.aborted)
        log.error(
          { code: 'monitor-failed', err: describeError(error) },
          'alerts could not be delivered; retrying',
        );
      return intervalMs;
    });
    await sleep(clock, pauseMs, signal).catch(() => {});
  }
}

/** Writes alerts that are new to the log; instances share the work. Without a webhook that is all. */
export async function logAlerts({
  database,
  clock,
  log,
  metrics,
  webhookUrl,
}: DeliveryOptions): Promise<void> {
  const rows = await database.query<AlertRow>(
    `update alert set is_logged = true
      where id in (select id from alert where not is_logged order by id limit $1 for update skip locked)
     returning ${columns}`,
    [maxLoggedAtOnce],
  );
  if (webhookUrl === undefined) {
    await database.query('update alert set done_at = $1 where done_at is null and is_logged', [clock.now()]);
  }
  for (const row of [...rows].sort((a, b) => a.id - b.id)) {
    metrics.count('holdfast_alerts_total', { kind: row.kind });
    log.warn({ code: row.kind, ...fieldsOf(row) }, `alert: ${row.message}`);
  }
}

const fieldsOf = ({ id, kind, device_id: device, module_id: module, batch_id: stream }: AlertRow) => ({
  id,
  kind,
  device,
  module,
  stream,
});

/**
 * Delivers what is due, oldest first; instances share the work.
 * @returns false when the webhook does not answer, or says that it has trouble: the rest of what was due waits.
 */
export async function deliverAlerts(options: DeliveryOptions, signal: AbortSignal): Promise<boolean> {
  const { database, clock, webhookUrl } = options;
  if (webhookUrl === undefined) return true;
  const now = clock.now();
  const rows = await database.query<AlertRow>(
    `update alert set due_at = $2, tries = tries + 1
      where id in (select id from alert where done_at is null and due_at <= $1 order by id limit $3
                     for update skip locked)
     returning ${columns}`,
    [now, now + claimMs, atOnce],
  );
  const queue = [...rows].sort((a, b) => a.id - b.id);
  for (const [i, row] of queue.entries()) {
    if (await deliver(options, webhookUrl, row, signal)) continue;
    await requeue(database, queue.slice(i + 1), now);
    return false;
  }
  return true;
}

async function requeue(database: Database, rows: readonly AlertRow[], now: number): Promise<void> {
  await database.query('update alert set due_at = $2, tries = tries - 1 where id = any($1::int8[])', [
    rows.map(({ id }) => id),
    now,
  ]);
}

/** False when the webhook itself has trouble. */
async function deliver(
  options: DeliveryOptions,
  url: string,
  row: AlertRow,
  signal: AbortSignal,
): Promise<boolean> {
  const { database, clock, random, log } = options;
  const failure = await post(options, url, row, signal);
  if (failure === undefined || row.tries >= maxTries || clock.now() - row.at >= maxAgeMs) {
    if (failure !== undefined) {
      log.error(
        { code: 'alert-not-delivered', ...fieldsOf(row), problem: failure.problem },
        'an alert could not be delivered; no further attempt is made',
      );
    }
    await database.query('update alert set done_at = $2 where id = $1', [row.id, clock.now()]);
    return failure?.isThere ?? true;
  }
  const backoff = createBackoff({ minMs: 10_000, maxMs: 3_600_000 }, random);
  for (let i = 1; i < row.tries; i++) backoff.next();
  const retryMs = Math.round(backoff.next());
  log.warn(
    { code: 'alert-not-delivered', ...fieldsOf(row), problem: failure.problem, retryMs },
    'an alert could not be delivered',
  );
  await database.query('update alert set due_at = $2 where id = $1', [row.id, clock.now() + retryMs]);
  return failure.isThere;
}

interface Failure {
  readonly problem: string;
  /** The webhook answers, and does not take this alert. */
  readonly isThere: boolean;
}

/** Returns why it failed; undefined when it was delivered. */
async function post(
  { fetch, clock }: DeliveryOptions,
  url: string,
  row: AlertRow,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const timeout = new AbortController();
  const timer = clock.setTimer(callLimitMs, () => timeout.abort(new Error('no answer in time')));
  try {
    const { id, at, kind, message } = row;
    const body = {
      id,
      at,
      kind,
      deviceId: row.device_id,
      moduleId: row.module_id,
      batchId: row.batch_id,
      message,
    };
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, timeout.signal]),
    });
    await response.body?.cancel();
    if (response.ok) return undefined;
    const { status } = response;
    return { problem: `the webhook answered ${status}`, isThere: status < 500 && status !== 429 };
  } catch (error) {
    return { problem: describeError(error), isThere: false };
  } finally {
    timer.cancel();
  }
}
