// Tells streams that have stopped from streams that are quiet. A quiet stream ordered by time sends empty windows; one that
// has stopped claims nothing new, whatever else it sends: late messages, repeated windows, answers to requests. A quiet
// stream ordered by record number has nothing to send: its module is asked (quiet.ts) before the stream is judged, and only
// where the module does not answer for it, it counts as heard as long as other streams of its module are. Messages that
// were sent and not yet read must not look like silence, so a stream is judged against the time up to which its partition
// is known to have been read, or all partitions, where the stream was not heard since the hub got other ones. What counts
// is when the hub had a message, not when it was read or accepted here.
import type { IndexKind } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { heardJoins, heardTable, heardUntil, isHeardSince } from '../ledger/heard.ts';
import { type NewAlert, raiseAlerts } from './alerts.ts';

interface StreamName {
  readonly device_id: string;
  readonly module_id: string;
  readonly batch_id: string;
}

/**
 * Records streams and devices that went silent or came back, and raises an alert for each change: one for
 * a device with all of its streams, otherwise one a stream. A stream by time is back only when it is behind by half of
 * that time or less: one whose clock is slow by about that time must not come and go with each of its windows.
 */
export async function judgeSilence(session: Session, now: number, silenceMs: number): Promise<void> {
  const horizon = await readHorizon(session);
  if (horizon === undefined) return;
  await judgeIngest(session, now, now - horizon > silenceMs);
  const resumed = await session.query<StreamName>(
    `with ${heardTable}
     delete from silent_stream q using stream s ${heardJoins}
        left join stream_known k on k.stream_id = s.id
      where s.id = q.stream_id
        and case when s.index_kind = 'time' then ${judgedUntil} - ${heardUntil} <= $2::int8 / 2
                 else ${judgedUntil} - s.heard_at <= $2::int8 or ${isHeardSince('q.since')} end
     returning s.device_id, s.module_id, s.batch_id`,
    [now, silenceMs],
  );
  const silent = await session.query<
    StreamName & { index_kind: IndexKind; says: string | null; sends: boolean }
  >(
    `with ${heardTable}, fresh as (
       insert into silent_stream (stream_id, since)
       select s.id, $1 from stream s ${heardJoins}
         left join partition_known k on k.partition_id = s.partition_id
        cross join (select min(known_until) as all_until from partition_known) h
        cross join lateral (select least($1, coalesce(k.known_until, h.all_until)) - $2::int8 as limit_at) l
        where s.messages > 0 and s.late_of is null and ${heardUntil} < l.limit_at
          and not ${isHeardSince('l.limit_at')} and ${wasAskedSince('l.limit_at')}
          and not exists (select from silent_stream q where q.stream_id = s.id)
       returning stream_id
     )
     select s.device_id, s.module_id, s.batch_id, s.index_kind, w.says, s.heard_at >= $1::int8 - $2::int8 as sends
       from fresh join stream s on s.id = fresh.stream_id left join stream_word w on w.stream_id = s.id`,
    [now, silenceMs],
  );
  const devices = await judgeDevices(session, now);
  await raiseAlerts(
    session,
    [
      ...devices.resumed.map(deviceAlert('device-resumed', 'is heard of again')),
      ...resumed.filter(notOf(devices.resumed)).map(streamAlert('stream-resumed', 'is heard of again')),
      ...devices.silent.map(
        deviceAlert('device-silent', `has sent nothing of the last ${silenceMs / 1000} s`),
      ),
      ...silent.filter(notOf(devices.silent)).map((stream) => {
        if (stream.sends)
          return streamAlert('stream-late', `sends, but nothing of the last ${silenceMs / 1000} s`)(stream);
        const says = stream.says === null ? '' : `; its module says: ${stream.says}`;
        const span = stream.index_kind === 'time' ? 'of the last' : 'for';
        return streamAlert('stream-silent', `has sent nothing ${span} ${silenceMs / 1000} s${says}`)(stream);
      }),
    ],
    now,
  );
}

/** SQL: up to when is known what the stream has sent, and no less than when it was found silent. */
const judgedUntil = 'greatest(least($1, k.known_until), q.since)';

/**
 * SQL, `$1` is now and `$2` the time of silence: the module of `s` has been asked since, if its silence alone says nothing. Where
 * the hub lets nobody ask for as long again, the messages alone must do.
 */
const wasAskedSince = (at: string) => `(s.index_kind = 'time' or w.asked_at >= ${at}
  or w.unanswered_since <= $1::int8 - $2::int8 and w.due_at >= $1::int8 - $2::int8)`;

/**
 * Up to when all partitions have been read, of one that never was: since when it is to be. Undefined before anything was
 * read.
 */
async function readHorizon(session: Session): Promise<number | undefined> {
  const [row] = await session.query<{ horizon: number | null }>(
    `select min(case when known_until > 0 then known_until
                     else (select max(opened_at) from hub_read) end) as horizon
       from partition_known`,
  );
  return row?.horizon ?? undefined;
}

async function judgeIngest(session: Session, now: number, stalled: boolean): Promise<void> {
  const [last] = await session.query<{ kind: string }>(
    `select kind from alert where kind in ('ingest-stalled', 'ingest-resumed') order by id desc limit 1`,
  );
  if (stalled === (last?.kind === 'ingest-stalled')) return;
  const alert: NewAlert = stalled
    ? {
        kind: 'ingest-stalled',
        message: 'the event hub is not being read to its end: what is missing or silent is not known',
      }
    : { kind: 'ingest-resumed', message: 'the event hub is read to its end again' };
  await raiseAlerts(session, [alert], now);
}

/** A device is silent while all of its streams are. */
async function judgeDevices(session: Session, now: number) {
  const resumed = await session.query<{ device_id: string }>(
    `delete from silent_device d
      where exists (select from stream s left join silent_stream q on q.stream_id = s.id
                     where s.device_id = d.device_id and s.messages > 0 and s.late_of is null and q.stream_id is null)
     returning device_id`,
  );
  const silent = await session.query<{ device_id: string }>(
    `insert into silent_device (device_id, since)
     select s.device_id, $1 from silent_stream q join stream s on s.id = q.stream_id
      where not exists (select from stream o left join silent_stream p on p.stream_id = o.id
                         where o.device_id = s.device_id and o.messages > 0 and o.late_of is null
                           and p.stream_id is null)
      group by s.device_id
     on conflict do nothing
     returning device_id`,
    [now],
  );
  return { resumed, silent };
}

const notOf = (devices: readonly { device_id: string }[]) => {
  const ids = new Set(devices.map((device) => device.device_id));
  return (stream: StreamName) => !ids.has(stream.device_id);
};

const deviceAlert =
  (kind: 'device-silent' | 'device-resumed', what: string) =>
  ({ device_id }: { device_id: string }): NewAlert => ({
    kind,
    deviceId: device_id,
    message: `device ${device_id} ${what}`,
  });

const streamAlert =
  (kind: 'stream-late' | 'stream-silent' | 'stream-resumed', what: string) =>
  ({ device_id, module_id, batch_id }: StreamName): NewAlert => ({
    kind,
    deviceId: device_id,
    moduleId: module_id,
    batchId: batch_id,
    message: `stream ${batch_id} of ${device_id}/${module_id} ${what}`,
  });
