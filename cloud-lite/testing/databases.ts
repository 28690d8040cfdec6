// Databases for tests: opening one takes seconds, so a file opens one and empties it between tests.
import type { Database } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import { openPgliteDatabase } from '../database/pglite-database.ts';
import { emptyLedger } from '../database/rebuild.ts';

/** In memory, with the schema. */
export async function openTestDatabase(): Promise<Database> {
  const database = await openPgliteDatabase(undefined);
  await migrate(database);
  return database;
}

export const emptyDatabase = emptyLedger;

/** What the database holds of the ledger, for comparison: streams by `device/module/stream`. */
export interface LedgerImage {
  readonly [stream: string]: {
    readonly covered: string;
    readonly missing: string;
    readonly voids: Readonly<Record<string, string>>;
    readonly messages: number;
    readonly duplicates: number;
    readonly pendingParts: number;
  };
}

interface ImageRow {
  readonly name: string;
  readonly covered: string;
  readonly missing: string;
  readonly voids: Readonly<Record<string, string>>;
  readonly messages: number;
  readonly duplicates: number;
  readonly pending_parts: number;
}

export async function readLedger(database: Database): Promise<LedgerImage> {
  const rows = await database.query<ImageRow>(
    `select device_id || '/' || module_id || '/' || batch_id as name, covered::text, missing::text, messages,
            duplicates, (select count(*) from pending_part p where p.stream_id = s.id) as pending_parts,
            coalesce((select jsonb_object_agg(reason, ranges::text) from void_range v where v.stream_id = s.id),
                     '{}') as voids
       from stream s where messages > 0 order by name`,
  );
  return Object.fromEntries(
    rows.map(({ name, covered, missing, voids, messages, duplicates, pending_parts }) => [
      name,
      { covered, missing, voids, messages, duplicates, pendingParts: pending_parts },
    ]),
  );
}
