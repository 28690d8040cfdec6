// Backoff for modules that a call did not reach, or that were busy. Such a module gets one call at a time, at growing
// intervals, however many requests wait for it, and at once when a message of its own arrives.
import type { Session } from '../database/database.ts';
import type { MethodTarget } from './hub-methods.ts';

export interface Trouble {
  /** False: it was reached, and is busy. */
  readonly unreachable: boolean;
  readonly why: string;
  /** The pause that the hub or the module asked for; default: `retryMs`. */
  readonly retryAfterMs?: number;
}

/** All requests to the module wait. Of several calls that failed at the same time, only the first counts. */
export async function noteTrouble(
  session: Session,
  { deviceId, moduleId }: MethodTarget,
  trouble: Trouble,
  now: number,
  retryMs: (failures: number) => number,
): Promise<void> {
  const [known] = await session.query<{ failures: number; due_at: number }>(
    'select failures, due_at from module_contact where device_id = $1 and module_id = $2',
    [deviceId, moduleId],
  );
  const isLater = known !== undefined && known.due_at > now;
  const failures = known === undefined ? 1 : isLater ? known.failures : known.failures + 1;
  const dueAt = isLater ? known.due_at : now + (trouble.retryAfterMs ?? retryMs(failures - 1));
  await session.query(
    `insert into module_contact as c (device_id, module_id, unreachable, failures, due_at, tried_at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (device_id, module_id) do update set
       unreachable = $3, failures = $4, due_at = $5, tried_at = $6, called_until = 0`,
    [deviceId, moduleId, trouble.unreachable, failures, dueAt, now],
  );
  await session.query(
    `update request r set due_at = greatest(r.due_at, $3), unreachable = $4 and r.state = 'pending'
       from stream s
      where s.id = r.stream_id and r.state in ('pending', 'accepted')
        and s.device_id = $1 and s.module_id = $2`,
    [deviceId, moduleId, dueAt, trouble.unreachable],
  );
}

/** The module has answered: requests that waited for it may be sent. */
export async function noteReached(
  session: Session,
  { deviceId, moduleId }: MethodTarget,
  now: number,
): Promise<void> {
  const known = await session.query(
    'delete from module_contact where device_id = $1 and module_id = $2 returning device_id',
    [deviceId, moduleId],
  );
  if (known.length > 0) await release(session, [{ deviceId, moduleId }], now);
}

/**
 * Modules that could not be reached and have sent something since: they are tried at once. By what they sent
 * themselves: one that was removed stays so, however much the rest of its device sends.
 */
export async function wakeReachable(session: Session, now: number, notAgainBeforeMs: number): Promise<void> {
  const woken = await session.query<{ deviceId: string; moduleId: string }>(
    `update module_contact c set due_at = $1
      where c.due_at > $1 and c.tried_at <= $2 and c.unreachable
        and exists (select from stream s where s.device_id = c.device_id and s.module_id = c.module_id
                                           and s.heard_at > c.tried_at)
     returning c.device_id as "deviceId", c.module_id as "moduleId"`,
    [now, now - notAgainBeforeMs],
  );
  await release(session, woken, now);
}

async function release(session: Session, modules: readonly MethodTarget[], now: number): Promise<void> {
  if (modules.length === 0) return;
  await session.query(
    `update request r set due_at = least(r.due_at, $3), unreachable = false
       from stream s, unnest($1::text[], $2::text[]) as m(device_id, module_id)
      where s.id = r.stream_id and r.state = 'pending' and s.device_id = m.device_id and s.module_id = m.module_id`,
    [modules.map(({ deviceId }) => deviceId), modules.map(({ moduleId }) => moduleId), now],
  );
}
