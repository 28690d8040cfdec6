// One instance at a time decides about repair: that two never ask for the same range rests on this lock,
// which the database frees with the transaction that holds it, whatever becomes of the instance.
import type { Session } from '../database/database.ts';
import { expectSchema, schemaColumn } from '../database/schema.ts';

// An arbitrary constant that is used nowhere else.
const repairLock = 7_238_542;

/** False while another instance is at it. @throws as `expectSchema`. */
export async function tryRepairLock(session: Session): Promise<boolean> {
  const [row] = await session.query<{ locked: boolean; schema: number }>(
    `select pg_try_advisory_xact_lock($1) as locked, ${schemaColumn}`,
    [repairLock],
  );
  expectSchema(row!.schema);
  return row!.locked;
}

/** Waits for it. @throws as `expectSchema`. */
export async function takeRepairLock(session: Session): Promise<void> {
  await session.query('select pg_advisory_xact_lock($1)', [repairLock]);
  const [row] = await session.query<{ schema: number }>(`select ${schemaColumn}`);
  expectSchema(row!.schema);
}
