// Streams whose messages are set aside: one row per stream and reason, with an alert at the first message and one a day
// while more come. Of many streams of one module, for one reason, one alert an hour says how many they are: a module may
// give each of its messages another name.
import { hull, type Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { formatRange, parseRange } from '../database/multirange.ts';
import { storableText } from '../database/storable.ts';
import { type NewAlert, raiseAlerts } from '../health/alerts.ts';

/** One message that was set aside. */
export interface AsideOf {
  readonly deviceId: string;
  readonly moduleId: string;
  /** Empty where the message names no stream that can be one. */
  readonly batchId: string;
  readonly streamId?: number;
  readonly reason: string;
  readonly detail: string;
  /** The window that it claims, where that is known. */
  readonly window?: Window;
}

export interface AsideSource {
  readonly deviceId: string;
  readonly moduleId: string;
  readonly batchId: string;
  readonly streamId: number | null;
  readonly reason: string;
  readonly messages: number;
  /** UTC epoch ms. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly detail: string;
  /** From the first position to the last that was claimed; null where none was. */
  readonly range: readonly [start: number, end: number] | null;
}

const tellAgainMs = 86_400_000;
/** Streams of a module that are told of one by one. */
const maxOneByOne = 5;
const countAgainMs = 3_600_000;
/** The hub's own events, and what rules send to other modules: no readings are lost with them. */
const untold: readonly string[] = ['not-telemetry', 'rule-action'];

export async function noteSources(session: Session, asides: readonly AsideOf[], now: number): Promise<void> {
  const groups = new Map<string, { readonly of: AsideOf; messages: number; window: Window | undefined }>();
  for (const of of asides.map(asStored)) {
    const key = JSON.stringify([of.deviceId, of.moduleId, of.batchId, of.reason]);
    const before = groups.get(key);
    groups.set(key, {
      of,
      messages: (before?.messages ?? 0) + 1,
      window: both(before?.window, of.window),
    });
  }
  if (groups.size === 0) return;
  const list = [...groups.values()];
  const keys = [
    list.map(({ of }) => of.deviceId),
    list.map(({ of }) => of.moduleId),
    list.map(({ of }) => of.batchId),
    list.map(({ of }) => of.reason),
  ];
  await session.query(
    `insert into set_aside_source as a
       (device_id, module_id, batch_id, reason, stream_id, messages, first_at, last_at, detail, range)
     select d, m, b, r, stream_id, messages, $5::int8, $5::int8, detail, range::int8range
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $6::int8[], $7::int8[], $8::text[], $9::text[])
         as t(d, m, b, r, stream_id, messages, detail, range)
     on conflict (device_id, module_id, batch_id, reason) do update set
       stream_id = coalesce(excluded.stream_id, a.stream_id), messages = a.messages + excluded.messages,
       last_at = greatest(a.last_at, excluded.last_at), detail = excluded.detail,
       range = range_merge(a.range, excluded.range)`,
    [
      ...keys,
      now,
      list.map(({ of }) => of.streamId ?? null),
      list.map(({ messages }) => messages),
      list.map(({ of }) => of.detail),
      list.map(({ window }) => (window === undefined ? 'empty' : formatRange(window))),
    ],
  );
  const told = await session.query<ToldRow>(
    `update set_aside_source a set told_at = $5::int8
       from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as t(d, m, b, r)
      where (a.device_id, a.module_id, a.batch_id, a.reason) = (t.d, t.m, t.b, t.r)
        and (a.told_at is null or a.told_at <= $5::int8 - $6::int8 or a.told_at > $5::int8) and not a.reason = any($7)
     returning a.device_id, a.module_id, a.batch_id, a.reason, a.messages, a.detail`,
    [...keys, now, tellAgainMs, untold],
  );
  if (told.length > 0) await raiseAlerts(session, await alertsOf(session, told, now), now);
}

async function alertsOf(
  session: Session,
  told: readonly ToldRow[],
  now: number,
): Promise<readonly NewAlert[]> {
  const groups = Map.groupBy(told, ({ device_id, module_id, reason }) =>
    JSON.stringify([device_id, module_id, reason]),
  );
  const firsts = [...groups.values()].map((rows) => rows[0]!);
  const counts = await session.query<{ streams: number; messages: number; is_counted: boolean }>(
    `select c.streams, c.messages,
            exists (select from alert where at > $4::int8 - $5::int8 and at <= $4 and kind = 'messages-set-aside'
                                        and device_id = t.d and module_id = t.m and batch_id is null) as is_counted
       from unnest($1::text[], $2::text[], $3::text[]) with ordinality as t(d, m, r, place)
      cross join lateral (select count(*) as streams, sum(messages)::int8 as messages from set_aside_source
                           where device_id = t.d and module_id = t.m and reason = t.r) c
      order by place`,
    [
      firsts.map(({ device_id }) => device_id),
      firsts.map(({ module_id }) => module_id),
      firsts.map(({ reason }) => reason),
      now,
      countAgainMs,
    ],
  );
  return [...groups.values()].flatMap((rows, i) => {
    const { streams, messages, is_counted } = counts[i]!;
    if (streams <= maxOneByOne) return rows.map(alertOf);
    return is_counted ? [] : [countingAlert(rows.at(-1)!, streams, messages)];
  });
}

function countingAlert(last: ToldRow, streams: number, messages: number): NewAlert {
  const { device_id, module_id, reason, detail } = last;
  return {
    kind: 'messages-set-aside',
    deviceId: device_id,
    moduleId: module_id,
    message: `messages of ${streams} streams of ${device_id}/${module_id} are set aside, ${messages} by now: ${reason}; of the last one: ${detail}`,
  };
}

interface ToldRow {
  readonly device_id: string;
  readonly module_id: string;
  readonly batch_id: string;
  readonly reason: string;
  readonly messages: number;
  readonly detail: string;
}

function alertOf({ device_id, module_id, batch_id, reason, messages, detail }: ToldRow): NewAlert {
  const who = device_id === '' ? 'somebody who is not known' : `${device_id}/${module_id}`;
  const whose = batch_id === '' ? `messages of ${who}` : `messages of stream ${batch_id} of ${who}`;
  return {
    kind: 'messages-set-aside',
    deviceId: device_id,
    moduleId: module_id,
    batchId: batch_id,
    message: `${whose} are set aside, ${messages} by now: ${reason}: ${detail}`,
  };
}

/** The newest first. */
export async function listAsideSources(
  session: Session,
  query: { readonly streamId?: number | undefined; readonly limit: number },
): Promise<readonly AsideSource[]> {
  const rows = await session.query<Omit<AsideSource, 'range'> & { readonly range: string }>(
    `select device_id as "deviceId", module_id as "moduleId", batch_id as "batchId", stream_id as "streamId", reason,
            messages, first_at as "firstAt", last_at as "lastAt", detail, range::text
       from set_aside_source where $1::int8 is null or stream_id = $1
      order by last_at desc, device_id, module_id, batch_id, reason limit $2`,
    [query.streamId ?? null, query.limit],
  );
  return rows.map(({ range, ...row }) => {
    const window = parseRange(range);
    return { ...row, range: window === undefined ? null : [window.start, window.end] };
  });
}

/** Two names that are stored as one are one row. */
function asStored(aside: AsideOf): AsideOf {
  const { deviceId, moduleId, batchId, reason } = aside;
  return {
    ...aside,
    deviceId: storableText(deviceId),
    moduleId: storableText(moduleId),
    batchId: storableText(batchId),
    reason: storableText(reason),
  };
}

function both(a: Window | undefined, b: Window | undefined): Window | undefined {
  return a === undefined || b === undefined ? (a ?? b) : hull(a, b);
}
