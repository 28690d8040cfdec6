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

/** As new: ids count from 1 again. */
export async function emptyDatabase(database: Database): Promise<void> {
  await emptyLedger(database);
  const columns = await database.query<{ name: string; id: string }>(
    `select quote_ident(table_name) as name, quote_ident(column_name) as id from information_schema.columns
      where table_schema = current_schema() and is_identity = 'YES'`,
  );
  await database.script(columns.map(({ name, id }) => `alter table ${name} alter ${id} restart`).join(';'));
}
