// Tells of what was declared void, with its reason: at the first of a stream, then once an hour while more comes. Voids are
// compared with what was told last, so that a repeated message, or one that is read again, tells nothing twice.
import type { IndexKind, Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { parseRange } from '../database/multirange.ts';
import { lengthWords, rangeWords } from '../ledger/words.ts';
import { raiseAlerts } from './alerts.ts';

const tellAgainMs = 3_600_000;
/** Streams looked at in one look; the rest waits for the next. */
const atOnce = 500;

interface LossRow {
  readonly id: number;
  readonly device_id: string;
  readonly module_id: string;
  readonly batch_id: string;
  readonly index_kind: IndexKind;
  readonly told: Readonly<Record<string, number>>;
  readonly losses: readonly { readonly reason: string; readonly length: number; readonly newest: string }[];
}

export async function judgeLosses(session: Session, now: number): Promise<void> {
  const rows = await session.query<LossRow>(
    `with due as (
       select s.id from (select distinct stream_id from void_range) v
         join stream s on s.id = v.stream_id and s.late_of is null
         left join told_loss t on t.stream_id = s.id
        where s.last_arrival_at >= coalesce(t.checked_at, 0) and coalesce(t.told_at, 0) <= $1::int8 - $2::int8
        order by s.id limit $3
     )
     select s.id, s.device_id, s.module_id, s.batch_id, s.index_kind, coalesce(t.lengths, '{}') as told,
            coalesce((select jsonb_agg(jsonb_build_object('reason', reason, 'length', length_of(ranges),
                        'newest', (select x::text from unnest(ranges) x order by x desc limit 1)) order by reason)
                        from (select v.reason, range_agg(v.ranges - g.covered) as ranges from void_range v
                                join stream_segment g on (g.stream_id, g.segment_id) = (v.stream_id, v.segment_id)
                               where v.stream_id = s.id group by v.reason) r
                       where ranges <> '{}'), '[]') as losses
       from due join stream s on s.id = due.id left join told_loss t on t.stream_id = s.id`,
    [now, tellAgainMs, atOnce],
  );
  const grown = rows.map((row) => ({
    row,
    more: row.losses.filter(({ reason, length }) => length > (row.told[reason] ?? 0)),
  }));
  await session.query(
    `insert into told_loss as t (stream_id, lengths, told_at, checked_at)
     select id, lengths::jsonb, case when more then $1::int8 else 0 end, $1
       from unnest($2::int8[], $3::text[], $4::bool[]) as u(id, lengths, more)
     on conflict (stream_id) do update
       set lengths = excluded.lengths, checked_at = excluded.checked_at, told_at = greatest(t.told_at, excluded.told_at)`,
    [
      now,
      rows.map(({ id }) => id),
      rows.map(({ losses }) =>
        JSON.stringify(Object.fromEntries(losses.map(({ reason, length }) => [reason, length]))),
      ),
      grown.map(({ more }) => more.length > 0),
    ],
  );
  await raiseAlerts(
    session,
    grown
      .filter(({ more }) => more.length > 0)
      .map(({ row, more }) => ({
        kind: 'range-lost' as const,
        deviceId: row.device_id,
        moduleId: row.module_id,
        batchId: row.batch_id,
        message: `stream ${row.batch_id} of ${row.device_id}/${row.module_id} lost ${lossWords(row, more)}`,
      })),
    now,
  );
}

function lossWords({ index_kind: index, told }: LossRow, more: LossRow['losses']): string {
  return more
    .map(({ reason, length, newest }) => {
      const range = parseRange(newest) as Window;
      return `${lengthWords(index, length - (told[reason] ?? 0))} (${reason}), the newest of it ${rangeWords(index, range)}`;
    })
    .join('; ');
}
