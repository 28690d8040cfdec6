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
