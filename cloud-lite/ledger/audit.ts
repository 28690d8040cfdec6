import type { Session } from '../database/database.ts';

export interface AuditView {
  readonly id: number;
  /** UTC epoch ms. */
  readonly at: number;
  readonly subject: string;
  readonly subjectId: string;
  readonly streamId: number | null;
  readonly event: string;
  readonly cause: string | null;
}

export interface AuditQuery {
  readonly streamId?: number | undefined;
  /** Entries with a smaller id than this. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Notes a change of a stream as a whole, or what a person did to it. */
export async function noteOfStream(
  session: Session,
  streamId: number,
  event: 'accepted' | 'moved' | 'reopened' | 'waived',
  cause: string,
  now: number,
): Promise<void> {
  await session.query(
    `insert into audit (at, subject, subject_id, stream_id, event, cause) values ($1, 'stream', $2, $3, $4, $5)`,
    [now, String(streamId), streamId, event, cause],
  );
}

/** Newest first. */
export async function listAudit(session: Session, query: AuditQuery): Promise<readonly AuditView[]> {
  return session.query<AuditView>(
    `select id, at, subject, subject_id as "subjectId", stream_id as "streamId", event, cause from audit
      where ($1::int8 is null or stream_id = $1) and ($2::int8 is null or id < $2)
      order by id desc limit $3`,
    [query.streamId ?? null, query.before ?? null, query.limit],
  );
}
