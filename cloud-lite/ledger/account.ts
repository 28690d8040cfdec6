// The account of a period, stream by stream: what is there, and of all else why not.
import type { Session } from '../database/database.ts';
import { formatRange } from '../database/multirange.ts';
import { describeStreams, type FleetStream } from './fleet.ts';
import { type FleetSelection, judgeFleet } from './fleet-judgement.ts';

export interface AccountLine extends FleetStream {
  /** Void positions of the period by reason: ms, or records. */
  readonly voids: readonly { readonly reason: string; readonly length: number }[];
}

/** A page of streams by name; the last one is short. */
export async function readAccount(
  session: Session,
  selection: Omit<FleetSelection, 'order'>,
): Promise<readonly AccountLine[]> {
  const query = { ...selection, order: 'name' as const, cells: 1 };
  const { page } = await judgeFleet(session, query);
  const streams = await describeStreams(session, page, query);
  const rows = await session.query<{ id: number; reason: string; length: number }>(
    `select v.stream_id as id, v.reason,
            length_of(range_agg(v.ranges - g.covered)
              * int8multirange(case when s.index_kind = 'time' then $2::int8range else s.span end)) as length
       from void_range v join stream s on s.id = v.stream_id
       join stream_segment g on (g.stream_id, g.segment_id) = (v.stream_id, v.segment_id)
      where v.stream_id = any($1::int8[]) group by v.stream_id, v.reason, s.index_kind, s.span
      order by v.stream_id, v.reason`,
    [streams.map(({ id }) => id), formatRange(selection.period)],
  );
  const byStream = Map.groupBy(rows, ({ id }) => id);
  return streams.map((stream) => ({
    ...stream,
    voids: (byStream.get(stream.id) ?? [])
      .filter(({ length }) => length > 0)
      .map(({ reason, length }) => ({ reason, length })),
  }));
}
