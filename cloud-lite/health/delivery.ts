// Delivers alerts: each as a line of the log, and to a webhook where there is one. At least once; the
// alert's id tells a repeat.
import { createBackoff } from '../../kernel/backoff.ts';
import type { Clock } from '../../kernel/clock.ts';
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

const callLimitMs = 10_000;
/** Longer than all calls of one turn. */
const claimMs = 300_000;
const atOnce = 20;
/** With the backoff's ceiling, about a day. */
const maxTries = 30;

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

/** Delivers what is due; instances share the work. */
export async function deliverAlerts(options: DeliveryOptions, signal: AbortSignal): Promise<void> {
  const { database, clock } = options;
  const now = clock.now();
  const rows = await database.query<AlertRow>(
    `update alert set due_at = $2, tries = tries + 1
      where id in (select id from alert where done_at is null and due_at <= $1 order by id limit $3
                     for update skip locked)
     returning id, at, kind, device_id, module_id, batch_id, message, tries`,
    [now, now + claimMs, atOnce],
  );
  for (const row of [...rows].sort((a, b) => a.id - b.id)) await deliver(options, row, signal);
}

async function deliver(options: DeliveryOptions, row: AlertRow, signal: AbortSignal): Promise<void> {
  const { database, clock, random, log, metrics, webhookUrl } = options;
  const fields = {
    id: row.id,
    kind: row.kind,
    device: row.device_id,
    module: row.module_id,
    stream: row.batch_id,
  };
  if (row.tries === 1) {
    metrics.count('holdfast_alerts_total', { kind: row.kind });
    log.warn(fields, `alert: ${row.message}`);
  }
  const problem = webhookUrl === undefined ? undefined : await post(options, webhookUrl, row, signal);
  if (problem === undefined || row.tries >= maxTries) {
    if (problem !== undefined)
      log.error({ ...fields, problem }, 'an alert could not be delivered and is given up');
    await database.query('update alert set done_at = $2 where id = $1', [row.id, clock.now()]);
    return;
  }
  const backoff = createBackoff({ minMs: 10_000, maxMs: 3_600_000 }, random);
  for (let i = 1; i < row.tries; i++) backoff.next();
  const retryMs = Math.round(backoff.next());
  log.warn({ ...fields, problem, retryMs }, 'an alert could not be delivered');
  await database.query('update alert set due_at = $2 where id = $1', [row.id, clock.now() + retryMs]);
}

/** What went wrong; undefined when it arrived. */
async function post(
  { fetch, clock }: DeliveryOptions,
  url: string,
  row: AlertRow,
  signal: AbortSignal,
): Promise<string | undefined> {
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
    return response.ok ? undefined : `the webhook answered ${response.status}`;
  } catch (error) {
    return describeError(error);
  } finally {
    timer.cancel();
  }
}
