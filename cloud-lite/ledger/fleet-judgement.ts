// Judges the fleet: how many streams are in each state, and which ones a page shows. Nearly all streams of a fleet are
// whole, and there can be any number of them; so the exceptions are found by indexes, each with its state. Of the rest, a
// stream is whole if it is known to send; just after the detector was away, that may hold for none.
import type { Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { formatMultirange } from '../database/multirange.ts';
import { knownJoins, knownTables } from './heard.ts';
import { type JudgedBy, soundStateOf, troubleOf } from './judge-stream.ts';
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
  /** UTC epoch ms. */
  readonly now: number;
  /** A stream that was not heard for so long is not known to send. */
  readonly silenceMs: number;
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

const judgedBy: JudgedBy = {
  now: '$4',
  silenceMs: '$5',
  period: '$2::int8multirange',
  start: '$3::int8',
  end: 'upper($2::int8multirange)',
};

// $1 search, $2 period, $3 its start, $4 now, $5 the time of silence. "offset 0" keeps the planner from reading the whole table: it has no idea
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
    select s.id, s.device_id, s.module_id, s.batch_id, ${troubleOf(judgedBy)} as state
      from candidate c
     cross join lateral (select * from stream where id = c.id offset 0) s
     cross join lateral (select array_agg(member_id) as members from stream_family where stream_id = s.id) f
      left join silent_stream q on q.stream_id = s.id
     where ${found}
  ), exception as materialized (select * from judged where state is not null), ${knownTables}, rest as (
    select s.id, s.device_id, s.module_id, s.batch_id, ${soundStateOf(judgedBy)} as state
      from stream s ${knownJoins}
     where ${found} and not exists (select from exception e where e.id = s.id)
  )`;

const byName = 'device_id, module_id, batch_id';

export async function judgeFleet(session: Session, selection: FleetSelection): Promise<Judgement> {
  const { state, order, offset, limit, period, now, silenceMs } = selection;
  const search = selection.search === undefined || selection.search === '' ? null : selection.search;
  const facts = [search, formatMultirange([period]), period.start, now, silenceMs];
  const { counts, worst } = await readExceptions(session, facts, selection);
  if (order === 'name' && state === undefined) {
    return { counts, page: await readByName(session, facts, offset, limit) };
  }
  if (state !== undefined && !restStates.includes(state)) return { counts, page: worst };
  // They come last: behind all exceptions, where those are shown too.
  const page = state === undefined ? [...worst] : [];
  let before =
    state === undefined
      ? streamStates.reduce((sum, of) => sum + (restStates.includes(of) ? 0 : counts[of]), 0)
      : 0;
  for (const of of restStates) {
    if (state !== undefined && state !== of) continue;
    const room = limit - page.length;
    if (room > 0 && counts[of] > 0)
      page.push(...(await readRest(session, facts, of, Math.max(0, offset - before), room)));
    before += counts[of];
  }
  return { counts, page };
}

/** The states of streams that are no exceptions. */
const restStates: readonly StreamState[] = ['unknown', 'whole'];

/** The counts of all states, and the part of the page that are exceptions, the worst first. */
async function readExceptions(
  session: Session,
  facts: readonly unknown[],
  { state, offset, limit }: FleetSelection,
): Promise<{ counts: Judgement['counts']; worst: readonly JudgedStream[] }> {
  const [row] = await session.query<{
    counts: Partial<Record<StreamState, number>>;
    worst: readonly JudgedStream[];
  }>(
    `with ${exceptions}, page as (
       select id, state from exception where $6::text is null or state = $6
        order by array_position($7::text[], state), ${byName} limit $8 offset $9
     )
     select coalesce((select jsonb_object_agg(state, n)
                        from (select state, count(*) as n
                                from (select state from exception union all select state from rest) every
                               group by state) c), '{}') as counts,
            coalesce((select jsonb_agg(jsonb_build_object('id', id, 'state', state)) from page), '[]') as worst`,
    [...facts, state ?? null, streamStates, limit, offset],
  );
  const none = Object.fromEntries(streamStates.map((name) => [name, 0])) as Record<StreamState, number>;
  return { counts: { ...none, ...row!.counts }, worst: row!.worst };
}

function readByName(session: Session, facts: readonly unknown[], offset: number, limit: number) {
  return session.query<JudgedStream>(
    `with ${exceptions}, page as (
       select s.id, ${byName} from stream s where ${found} order by ${byName} limit $6 offset $7
     )
     select page.id, coalesce(e.state, r.state) as state
       from page left join exception e on e.id = page.id left join rest r on r.id = page.id
      order by ${byName.replaceAll(/\w+/g, 'page.$&')}`,
    [...facts, limit, offset],
  );
}

function readRest(
  session: Session,
  facts: readonly unknown[],
  state: StreamState,
  offset: number,
  limit: number,
) {
  return session.query<JudgedStream>(
    `with ${exceptions}
     select id, state from rest where state = $6 order by ${byName} limit $7 offset $8`,
    [...facts, state, limit, offset],
  );
}
