// Tells of trouble that lasts: a gap that is open for long, a device whose module cannot be called while something is to be
// asked of it. Once each, and again when it is over.
import type { IndexKind } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { parseRange } from '../database/multirange.ts';
import { lengthWords, rangeWords } from '../ledger/words.ts';
import { type NewAlert, raiseAlerts } from './alerts.ts';

interface GapRow {
  readonly device_id: string;
  readonly module_id: string;
  readonly batch_id: string;
  readonly index_kind: IndexKind;
  readonly is_late: boolean;
  readonly range: string;
  /** What the module answered last, if it was asked. */
  readonly answer: string | null;
}

/** Gaps of one look; more are told of by the next ones. */
const atOnce = 200;

/** @param lastsMs how long a gap may be open, or a device out of reach, before that is told. */
export async function judgeLasting(session: Session, now: number, lastsMs: number): Promise<void> {
  const alerts = [
    ...(await openGaps(session, now - lastsMs)),
    ...(await closedGaps(session)),
    ...(await devices(session, now - lastsMs)),
  ];
  await raiseAlerts(session, alerts, now);
}

/** SQL: what an alert says of the gaps of `told`. */
const gapRows = `
  select s.device_id, s.module_id, s.batch_id, s.index_kind, s.late_of is not null as is_late, g.range::text,
         (select r.answer from request r where r.stream_id = g.stream_id and r.range && g.range
           order by r.created_at desc limit 1) as answer
    from told join gap g on g.id = told.gap_id join stream s on s.id = g.stream_id
   order by s.device_id, s.module_id, s.batch_id, lower(g.range)`;

async function openGaps(session: Session, before: number): Promise<readonly NewAlert[]> {
  const rows = await session.query<GapRow>(
    `with told as (
       insert into told_gap (gap_id)
       select id from gap g where state = 'open' and not given_up and opened_at <= $1
          and not exists (select from told_gap t where t.gap_id = g.id) order by id limit $2
       returning gap_id
     ) ${gapRows}`,
    [before, atOnce],
  );
  return rows.map((row) => {
    const says = row.answer === null ? '' : `; the last answer: ${row.answer}`;
    return gapAlert('gap-open', row, `still missing${says}`);
  });
}

async function closedGaps(session: Session): Promise<readonly NewAlert[]> {
  const rows = await session.query<GapRow>(
    `with told as (
       delete from told_gap t using gap g where g.id = t.gap_id and g.state = 'closed' returning t.gap_id
     ) ${gapRows}`,
  );
  return rows.map((row) => gapAlert('gap-closed', row, 'missing no more'));
}

function gapAlert(kind: 'gap-open' | 'gap-closed', row: GapRow, what: string): NewAlert {
  const range = parseRange(row.range)!;
  const length = range.end - range.start;
  const which = row.is_late
    ? `late windows ${range.start} to ${range.end - 1}`
    : row.index_kind === 'time'
      ? `${lengthWords('time', length)}, ${rangeWords('time', range)},`
      : rangeWords('sequence', range);
  return {
    kind,
    deviceId: row.device_id,
    moduleId: row.module_id,
    batchId: row.batch_id,
    message: `stream ${row.batch_id} of ${row.device_id}/${row.module_id}: ${which} ${what}`,
  };
}

async function devices(session: Session, before: number): Promise<readonly NewAlert[]> {
  const unreachable = await session.query<{ device_id: string }>(
    `insert into told_device (device_id)
     select s.device_id from request r join stream s on s.id = r.stream_id
      where r.state = 'pending' and r.unreachable and r.created_at <= $1
      group by s.device_id
     on conflict do nothing returning device_id`,
    [before],
  );
  const reached = await session.query<{ device_id: string }>(
    `delete from told_device t
      where not exists (select from request r join stream s on s.id = r.stream_id
                         where r.state = 'pending' and r.unreachable and s.device_id = t.device_id)
     returning device_id`,
  );
  return [
    ...unreachable.map(({ device_id: deviceId }) => ({
      kind: 'device-unreachable' as const,
      deviceId,
      message: `device ${deviceId} cannot be called, and what is missing of it cannot be asked for`,
    })),
    ...reached.map(({ device_id: deviceId }) => ({
      kind: 'device-reached' as const,
      deviceId,
      message: `device ${deviceId} can be called again, or nothing is to be asked of it any more`,
    })),
  ];
}
