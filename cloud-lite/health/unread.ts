// Reports streams that may have lost data when the hub removed events unread: those that began then, whose data before
// their first window is not known, and those that were heard before and not since. Reported once enough time has passed for
// both to show.
import type { Session } from '../database/database.ts';
import { type NewAlert, raiseAlerts } from './alerts.ts';

interface HoleRow {
  readonly id: number;
  readonly partition_id: string;
  readonly from_at: number;
  readonly to_at: number;
  readonly found_at: number;
}

/** Streams that one alert names; more are counted. */
const maxNamed = 10;
const atOnce = 100;

export async function judgeUnread(session: Session, now: number, silenceMs: number): Promise<void> {
  const holes = await session.query<HoleRow>(
    `select u.id, u.partition_id, u.from_at, u.to_at, u.found_at from unread_hole u
       left join partition_known k on k.partition_id = u.partition_id
      cross join (select min(known_until) as all_until from partition_known) h
      where u.told_at is null and u.found_at <= least($1, coalesce(k.known_until, h.all_until)) - $2::int8
        and h.all_until is not null
      order by u.id limit $3`,
    [now, silenceMs, atOnce],
  );
  for (const hole of holes) await tell(session, hole, now, silenceMs);
}

async function tell(session: Session, hole: HoleRow, now: number, silenceMs: number): Promise<void> {
  // A stream that has not been heard of since the hub changed may be of any partition.
  const names = (where: string, ...params: readonly number[]) =>
    session.query<{ name: string }>(
      `select batch_id || ' of ' || device_id || '/' || module_id as name from stream
        where late_of is null and messages > 0 and partition_id in ($1, '') and ${where}
        order by device_id, module_id, batch_id`,
      [hole.partition_id, ...params],
    );
  const began = await names('created_at >= $2 and created_at <= $2 + $3::int8', hole.found_at, silenceMs);
  const ended = await names('heard_at < $2', hole.to_at);
  const [from, to] = [hole.from_at, hole.to_at].map((at) => new Date(at).toISOString());
  const when = `between ${from} and ${to}, when the hub removed events unread`;
  const alerts: NewAlert[] = [];
  if (began.length > 0) {
    const message = `first heard of after events were lost ${when}: ${listed(began)}; what they sent before is not known`;
    alerts.push({ kind: 'streams-began-unread', message });
  }
  if (ended.length > 0) {
    const message = `not heard of since events were lost ${when}: ${listed(ended)}; what they sent last is not known`;
    alerts.push({ kind: 'streams-ended-unread', message });
  }
  await raiseAlerts(session, alerts, now);
  await session.query('update unread_hole set told_at = $2 where id = $1', [hole.id, now]);
}

function listed(rows: readonly { readonly name: string }[]): string {
  const named = rows.slice(0, maxNamed).map(({ name }) => name);
  const more = rows.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more streams` : ''}`;
}
