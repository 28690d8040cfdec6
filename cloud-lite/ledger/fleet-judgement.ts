// Judges the fleet: how many streams are in each state, and which ones a page shows. Nearly all streams of a
// fleet are healthy, and their number can be anything; so the exceptions are found by indexes, each with its
// state, and healthy is whatever else there is.
import type { Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { formatMultirange } from '../database/multirange.ts';
import { type StreamState, streamStates } from './stream-states.ts';

export interface FleetSelection {
  readonly state?: StreamState | undefined;
  /** Part of a device's, module's or stream's name, in any case. */
  readonly search?: string | undefined;
  /** `worst`: by state, in the order of streamStates, then by name. */
  readonly order: 'worst' | 'name';
  readonly offset: number;
  readonly limit: number;
  /** Losses of time streams count only within it; UTC epoch ms. */
  readonly period: Window;
}

export interface JudgedStream {
  readonly id: number;
  readonly state: StreamState;
}

export interface Judgement {
  /** Of all streams that match the search. */
  readonly counts: Readonly<Record<StreamState, number>>;
  /** In the order asked for. */
  readonly page: readonly JudgedStream[];
}

const found = `
  (s.messages > 0 or s.id in (select stream_id from set_aside_source)) and s.late_of is null and ($1::text is null
    or position(lower($1) in lower(s.device_id || ' ' || s.module_id || ' ' || s.batch_id)) > 0)`;

// $1 search, $2 period, $3 its start. "offset 0" keeps the planner from reading the whole table: it has no idea
// how few multiranges are not empty.
const exceptions = `
  member as (
    select stream_id as id from silent_stream
     union select stream_id from set_aside_source where stream_id is not null
     union select stream_id from request where state in ('pending', 'accepted')
     union select stream_id from stream_segment where missing <> '{}'
     union select id from stream where index_kind = 'time' and (voided <> '{}' or waived <> '{}')
                                   and greatest(upper(voided), upper(waived)) > $3::int8
     union select stream_id from stream_archive where excused_length > 0 and high > $3::int8
     union select id from stream where index_kind = 'sequence' and (voided <> '{}' or waived <> '{}')
     union select id from stream where index_kind = 'sequence' and archived_until is not null
                                   and exists (select from stream_archive where stream_id = stream.id and excused_length > 0)
  ), candidate as (
    select distinct s.family as id from member
     cross join lateral (select coalesce(late_of, id) as family from stream where id = member.id offset 0) s
  ), judged as (
    select s.id, s.device_id, s.module_id, s.batch_id,
           case when q.stream_id is not null then 'silent'
                when exists (select from request r
                              where r.stream_id = any(f.members) and r.state in ('pending', 'accepted'))
                  or (exists (select from gap g
                               where g.stream_id = any(f.members) and g.state = 'open' and not g.given_up)
                      and exists (select from stream_segment m
                                   where m.stream_id = any(f.members) and m.missing <> '{}'))
                then 'repairing'
                when exists (select from gap g
                              where g.stream_id = any(f.members) and g.state = 'open' and g.given_up)
                  or exists (select from stream_segment m
                              where m.stream_id = any(f.members)
                                and case when s.index_kind = 'time' and m.stream_id = s.id
                                         then m.low < upper($2::int8multirange) and m.high > $3::int8
                                              and (m.voided + m.waived - m.covered) && $2::int8multirange
                                         else m.excused_length > 0 end)
                  or exists (select from set_aside_source a
                              where a.stream_id = any(f.members) and a.last_at >= least($3::int8, s.last_arrival_at))
                then 'lossy'
                else 'healthy' end as state
      from candidate c
     cross join lateral (select * from stream where id = c.id offset 0) s
     cross join lateral (select array_agg(member_id) as members from stream_family where stream_id = s.id) f
      left join silent_stream q on q.stream_id = s.id
     where ${found}
  ), exception as materialized (select * from judged where state <> 'healthy')`;

const byName = 'device_id, module_id, batch_id';

export async function judgeFleet(session: Session, selection: FleetSelection): Promise<Judgement> {
  const search = selection.search === undefined || selection.search === '' ? null : selection.search;
  const facts = [search, formatMultirange([selection.period]), selection.period.start];
  const { counts, worst } = await readExceptions(session, facts, selection);
  const { state, order, offset, limit } = selection;
  if (order === 'name' && state === undefined) {
    return { counts, page: await readByName(session, facts, offset, limit) };
  }
  if (state !== undefined && state !== 'healthy') return { counts, page: worst };
  // The healthy come last: behind all exceptions, where those are shown too.
  const before = state === 'healthy' ? 0 : counts.silent + counts.lossy + counts.repairing;
  const page = state === 'healthy' ? [] : worst;
  const rest = limit - page.length;
  if (rest === 0) return { counts, page };
  const healthy = await readHealthy(session, facts, Math.max(0, offset - before), rest);
  return { counts, page: [...page, ...healthy] };
}

/** The counts of all states, and the part of the page that is not healthy, the worst first. */
async function readExceptions(
  session: Session,
  facts: readonly unknown[],
  { state, offset, limit }: FleetSelection,
): Promise<{ counts: Judgement['counts']; worst: readonly JudgedStream[] }> {
  const [row] = await session.query<{
    total: number;
    counts: Partial<Record<StreamState, number>>;
    worst: readonly JudgedStream[];
  }>(
    `with ${exceptions}, page as (
       select id, state from exception where $4::text is null or state = $4
        order by array_position($5::text[], state), ${byName} limit $6 offset $7
     )
     select (select count(*) from stream s where ${found}) as total,
            coalesce((select jsonb_object_agg(state, n)
                        from (select state, count(*) as n from exception group by state) c), '{}') as counts,
            coalesce((select jsonb_agg(jsonb_build_object('id', id, 'state', state)) from page), '[]') as worst`,
    [...facts, state ?? null, streamStates, limit, offset],
  );
  const { silent = 0, lossy = 0, repairing = 0 } = row!.counts;
  return {
    counts: { silent, lossy, repairing, healthy: row!.total - silent - lossy - repairing },
    worst: row!.worst,
  };
}

function readByName(session: Session, facts: readonly unknown[], offset: number, limit: number) {
  return session.query<JudgedStream>(
    `with ${exceptions}, page as (
       select s.id, ${byName} from stream s where ${found} order by ${byName} limit $4 offset $5
     )
     select page.id, coalesce(e.state, 'healthy') as state from page left join exception e on e.id = page.id
      order by ${byName.replaceAll(/\w+/g, 'page.$&')}`,
    [...facts, limit, offset],
  );
}

function readHealthy(session: Session, facts: readonly unknown[], offset: number, limit: number) {
  return session.query<JudgedStream>(
    `with ${exceptions}
     select s.id, 'healthy' as state from stream s
      where ${found} and not exists (select from exception e where e.id = s.id)
      order by ${byName} limit $4 offset $5`,
    [...facts, limit, offset],
  );
}
