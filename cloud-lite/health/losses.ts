// Tells of what was declared void, with its reason, late windows among it: at the first of a stream, then once an hour while
// more comes. What is lost is compared with what was told last, range by range, so that a repeated message, or one that
// is read again, tells nothing twice, and a loss in the place of another one is told. What more is lost within the hour stands
// beside the last alert at once, where alerts are listed: an alert a minute helps nobody, and a list may not say less than the ledger.
import type { IndexKind, Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { parseRange } from '../database/multirange.ts';
import { lengthWords, rangeWords } from '../ledger/words.ts';
import { raiseAlerts } from './alerts.ts';

const tellAgainMs = 3_600_000;
/** Streams looked at in one look, first those that were not for longest. */
const atOnce = 500;

interface LossRow {
  readonly id: number;
  readonly device_id: string;
  readonly module_id: string;
  readonly batch_id: string;
  readonly index_kind: IndexKind;
  readonly is_late: boolean;
  readonly lost: string;
  /** The last alert of it is an hour old, or there was none. */
  readonly is_due: boolean;
  /** What was not reported before. */
  readonly more: readonly { readonly reason: string; readonly length: number; readonly newest: string }[];
}

export async function judgeLosses(session: Session, now: number): Promise<void> {
  const rows = await session.query<LossRow>(
    `with looked as (
       select s.id from (select distinct stream_id from void_range) v
         join stream s on s.id = v.stream_id
         left join told_loss t on t.stream_id = s.id
        where s.last_arrival_at >= coalesce(t.checked_at, 0)
        order by coalesce(t.checked_at, 0), s.id limit $3
     )
     select s.id, s.device_id, s.module_id, s.batch_id, s.index_kind, s.late_of is not null as is_late,
            l.lost::text, coalesce(t.told_at, 0) <= $1::int8 - $2::int8 as is_due,
            coalesce((select jsonb_agg(jsonb_build_object('reason', reason, 'length', length_of(ranges),
                        'newest', (select x::text from unnest(ranges) x order by x desc limit 1)) order by reason)
                        from (select r.reason, r.ranges - coalesce(t.lost, '{}') as ranges from unnest(l.reasons, l.each)
                                as r(reason, ranges)) r
                       where ranges <> '{}'), '[]') as more
       from looked join stream s on s.id = looked.id left join told_loss t on t.stream_id = s.id
      cross join lateral (
        select coalesce(range_agg(ranges), '{}') as lost, array_agg(reason) as reasons, array_agg(ranges) as each
          from (select v.reason, range_agg(v.ranges - g.covered) as ranges from void_range v
                  join stream_segment g on (g.stream_id, g.segment_id) = (v.stream_id, v.segment_id)
                 where v.stream_id = s.id group by v.reason) r) l`,
    [now, tellAgainMs, atOnce],
  );
  const told = rows.filter(({ is_due: isDue, more }) => isDue && more.length > 0);
  // What was told and is there after all is told again, should it be lost again; what was not told is not taken for told.
  await session.query(
    `insert into told_loss as t (stream_id, lost, told_at, checked_at, said, since)
     select id, lost::int8multirange, case when said is null then 0 else $1::int8 end, $1, said, since
       from unnest($2::int8[], $3::text[], $4::text[], $5::text[]) as u(id, lost, said, since)
     on conflict (stream_id) do update
       set lost = case when t.told_at <= $1::int8 - $6::int8 then excluded.lost else t.lost * excluded.lost end,
           checked_at = excluded.checked_at, told_at = greatest(t.told_at, excluded.told_at),
           said = coalesce(excluded.said, t.said), since = excluded.since`,
    [
      now,
      rows.map(({ id }) => id),
      rows.map(({ lost }) => lost),
      rows.map((row) => (told.includes(row) ? messageOf(row) : null)),
      rows.map((row) => (row.is_due || row.more.length === 0 ? null : lossWords(row))),
      tellAgainMs,
    ],
  );
  await raiseAlerts(
    session,
    told.map((row) => ({
      kind: 'range-lost' as const,
      deviceId: row.device_id,
      moduleId: row.module_id,
      batchId: row.batch_id,
      message: messageOf(row),
    })),
    now,
  );
}

const messageOf = (row: LossRow) =>
  `stream ${row.batch_id} of ${row.device_id}/${row.module_id} lost ${lossWords(row)}`;

function lossWords({ index_kind: index, is_late: isLate, more }: LossRow): string {
  return more
    .map(({ reason, length, newest }) => {
      const range = parseRange(newest) as Window;
      return isLate
        ? `${length} late ${length === 1 ? 'window' : 'windows'} (${reason}), the newest of them number ${range.end - 1}`
        : `${lengthWords(index, length)} (${reason}), the newest of it ${rangeWords(index, range)}`;
    })
    .join('; ');
}
