// Reads the twins of all gateways: the only place that asks the hub for them. A reading goes through the pages of one query,
// with the tags of their devices, and a pause before each question, as the hub takes few (20 a minute for each unit of S1).
// Instances take turns: who reads holds a claim in the database, and another starts over where that one is gone.
//
// What was read stays, with the time at which it was asked, until it is read again: while the hub gives no answer nothing is
// forgotten, and nothing looks newer than it is. Only a reading that reached its end shows that a gateway is gone.
import { type Clock, sleep } from '../../kernel/clock.ts';
import { describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import { cutText } from '../../kernel/text.ts';
import type { Database, Session } from '../database/database.ts';
import { storableText } from '../database/storable.ts';
import { deviceIdOf, type GatewayRecord, gatewayOf, tagsOf } from './gateway-record.ts';
import type { HubTwins, TwinAnswer } from './hub-twins.ts';

export interface TwinReaderOptions {
  readonly database: Database;
  readonly hub: HubTwins;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The name that the module has on all gateways. */
  readonly moduleId: string;
  /** From one reading's end to the next one's begin. */
  readonly intervalMs: number;
  /** Before each question. */
  readonly pauseMs: number;
}

/** Longer than one page takes, pause and refusals included. */
const claimMs = 180_000;
const retryMs = 15_000;
const maxRetryMs = 120_000;
/** How long a query may get; a device id has 128 characters at most. */
const maxNamesChars = 4000;

/** Until an abort of the signal. Never rejects. */
export async function readTwins(options: TwinReaderOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, intervalMs } = options;
  while (!signal.aborted) {
    try {
      if (await claim(options)) await readAll(options, signal);
    } catch (error) {
      if (!signal.aborted)
        log.error(
          { code: 'twins-not-kept', err: describeError(error) },
          'twins of gateways could not be read; retrying',
        );
    }
    await sleep(clock, Math.min(intervalMs, retryMs), signal).catch(() => {});
  }
}

async function claim({ database, clock }: TwinReaderOptions): Promise<boolean> {
  const now = clock.now();
  const claimed = await database.query(
    `insert into twin_reading as r (due_at, claimed_until) values ($1, $2)
     on conflict (is_only) do update set claimed_until = $2
      where r.due_at <= $1 and r.claimed_until <= $1
     returning is_only`,
    [now, now + claimMs],
  );
  return claimed.length > 0;
}

/** One reading. A page that the hub gives no answer to ends it: the next one starts over, later. */
async function readAll(options: TwinReaderOptions, signal: AbortSignal): Promise<void> {
  const { database, clock, intervalMs } = options;
  const beganAt = clock.now();
  const query = `SELECT * FROM devices.modules WHERE moduleId = ${quoted(options.moduleId)}`;
  let next: string | undefined;
  do {
    const askedAt = clock.now();
    const page = await ask(options, query, next, signal);
    if (page === undefined) return;
    const gateways = page.twins.map(gatewayOf).filter((gateway) => gateway !== undefined);
    const tags = await readTags(options, gateways, signal);
    if (tags === undefined) return;
    await database.transaction(async (session) => {
      await keep(session, gateways, tags, askedAt);
      await session.query(
        'update twin_reading set claimed_until = $1, failing_since = null, problem = null',
        [clock.now() + claimMs],
      );
    });
    next = page.next;
  } while (next !== undefined);
  const now = clock.now();
  await database.transaction(async (session) => {
    await session.query('delete from gateway where read_at < $1', [beganAt]);
    await session.query(
      `update twin_reading set due_at = $1, claimed_until = 0, ended_at = $2, took_ms = $3,
                               failing_since = null, problem = null`,
      [now + intervalMs, now, now - beganAt],
    );
  });
}

type Tags = ReadonlyMap<string, Readonly<Record<string, string>>>;

async function readTags(
  options: TwinReaderOptions,
  gateways: readonly GatewayRecord[],
  signal: AbortSignal,
): Promise<Tags | undefined> {
  const tags = new Map<string, Readonly<Record<string, string>>>();
  for (const names of queryParts(gateways)) {
    const query = `SELECT * FROM devices WHERE deviceId IN [${names.join(', ')}]`;
    let next: string | undefined;
    do {
      const page = await ask(options, query, next, signal);
      if (page === undefined) return undefined;
      for (const twin of page.twins) {
        const deviceId = deviceIdOf(twin);
        if (deviceId !== undefined) tags.set(deviceId, tagsOf(twin));
      }
      next = page.next;
    } while (next !== undefined);
  }
  return tags;
}

function queryParts(gateways: readonly GatewayRecord[]): readonly (readonly string[])[] {
  const parts: string[][] = [];
  let chars = 0;
  for (const { deviceId } of gateways) {
    const name = quoted(deviceId);
    if (parts.length === 0 || chars + name.length > maxNamesChars) {
      parts.push([]);
      chars = 0;
    }
    parts.at(-1)!.push(name);
    chars += name.length;
  }
  return parts;
}

/** Ids hold apostrophes, and no quotation marks. */
const quoted = (id: string) => `"${id.replaceAll('"', '')}"`;

type Page = Extract<TwinAnswer, { kind: 'page' }>;

/** Undefined where the hub gives no answer: noted, and due again later. */
async function ask(
  options: TwinReaderOptions,
  query: string,
  from: string | undefined,
  signal: AbortSignal,
): Promise<Page | undefined> {
  const { hub, clock, log, metrics, database } = options;
  await sleep(clock, options.pauseMs, signal);
  const answer = await hub.query(query, from, signal);
  metrics.count('holdfast_twin_queries_total', { outcome: answer.kind });
  if (answer.kind === 'page') return answer;
  const now = clock.now();
  const [state] = await database.query<{ failing_since: number }>(
    `update twin_reading
        set failing_since = coalesce(failing_since, $1), problem = $2, claimed_until = 0,
            due_at = $1 + least($4::int8, greatest($3::int8, ($1::int8 - coalesce(failing_since, $1::int8)) / 4, $5::int8))
     returning failing_since`,
    [now, cutText(answer.detail, 300), retryMs, maxRetryMs, askedPause(answer)],
  );
  if (state?.failing_since === now)
    log.warn(
      { code: 'twins-unread', outcome: answer.kind, why: answer.detail },
      'the hub does not answer queries about gateways: what is shown of them is outdated',
    );
  return undefined;
}

const askedPause = (answer: TwinAnswer) =>
  answer.kind === 'throttled' ? Math.min(answer.retryAfterMs ?? 0, maxRetryMs) : 0;

async function keep(
  session: Session,
  gateways: readonly GatewayRecord[],
  tags: Tags,
  askedAt: number,
): Promise<void> {
  const rows = gateways.map((gateway) => ({ ...gateway, tags: tags.get(gateway.deviceId) ?? {} }));
  await session.query(
    `insert into gateway (device_id, module_id, tags, reported, reported_at, is_connected, version, config_state,
                          config_hash, running_hash, problems, read_at, disconnected_at)
     select g."deviceId", g."moduleId", g.tags, g.reported, g."reportedAt", g."isConnected", g.version, g."configState",
            g."configHash", g."runningHash", array(select jsonb_array_elements_text(g.problems)), $2::int8,
            case when g."isConnected" = false then $2::int8 end
       from jsonb_to_recordset($1::jsonb) as g("deviceId" text, "moduleId" text, tags jsonb, reported jsonb,
            "reportedAt" int8, "isConnected" bool, version text, "configState" text, "configHash" text,
            "runningHash" text, problems jsonb)
     on conflict (device_id, module_id) do update
        set tags = excluded.tags, reported = excluded.reported, reported_at = excluded.reported_at,
            is_connected = excluded.is_connected, version = excluded.version, config_state = excluded.config_state,
            config_hash = excluded.config_hash, running_hash = excluded.running_hash, problems = excluded.problems,
            read_at = excluded.read_at,
            disconnected_at = case when excluded.disconnected_at is not null
                                   then coalesce(gateway.disconnected_at, excluded.disconnected_at) end`,
    [jsonOf(rows), askedAt],
  );
}

/** JSON that jsonb takes: it has no NUL, and no half of a character. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'string' ? storableText(each) : each));
}
