// SQL: the state of one stream (stream-states.ts says what each means). Whoever shows a state takes it from here.
import { isUnknown } from './heard.ts';

export interface JudgedBy {
  /** SQL: UTC epoch ms. */
  readonly now: string;
  /** SQL: a stream that was not heard for so long, in ms, is not known to send. */
  readonly silenceMs: string;
  /** SQL: losses of time streams count only within it, an int8multirange; its bounds beside it, never null. */
  readonly period: string;
  readonly start: string;
  readonly end: string;
}

/** All that was ever lost counts. */
export const ever = {
  period: "'{(,)}'::int8multirange",
  start: '-9223372036854775808',
  end: '9223372036854775807',
};

/** SQL: the module of the stream `s` is not connected by the hub's word, and nothing came of the stream in spite of that. */
const isAway = `exists (select from gateway g where (g.device_id, g.module_id) = (s.device_id, s.module_id)
                                               and s.heard_at < g.disconnected_at)`;

/** SQL: the row of `request` is one that the module of the stream `s` can work at: what cannot be reached fetches nothing. */
export const isFetching = `(state in ('pending', 'accepted') and not unreachable and not ${isAway})`;

/**
 * SQL: the state of the stream `s` if something is wrong with it, else null. `f.members`: itself and its counts of late
 * windows; `q`: its row of silent_stream, if any.
 */
export const troubleOf = ({ now, silenceMs, period, start, end }: JudgedBy): string => `
  case when exists (
         select from unnest(f.members) as u(member_id)
          cross join lateral (select range_agg(missing) as ranges from stream_segment
                               where stream_id = u.member_id and missing <> '{}') m
           left join lateral (select range_agg(range) as ranges from request
                               where stream_id = u.member_id and ${isFetching}) r on true
          where m.ranges - coalesce(r.ranges, '{}') <> '{}')
       then 'missing'
       when exists (
         select from stream_segment m
          where m.stream_id = any(f.members)
            and case when s.index_kind = 'time' and m.stream_id = s.id
                     then m.low < ${end} and m.high > ${start} and (m.voided + m.waived - m.covered) && ${period}
                     else m.excused_length > 0 end)
         or exists (select from set_aside_source a
                     where a.stream_id = any(f.members) and a.last_at >= least(${start}, s.last_arrival_at))
       then 'lost'
       when q.stream_id is not null and s.heard_at >= ${now}::int8 - ${silenceMs}::int8 then 'late'
       when q.stream_id is not null then 'silent'
       when not ${isAway} and exists (select from request r
                                       where r.stream_id = any(f.members) and r.state in ('pending', 'accepted'))
       then 'repairing' end`;

/** SQL: the state of the stream `s` if nothing is wrong with it. */
export const soundStateOf = ({ now, silenceMs }: Pick<JudgedBy, 'now' | 'silenceMs'>): string =>
  `case when ${isUnknown(now, silenceMs)} then 'unknown' else 'whole' end`;
