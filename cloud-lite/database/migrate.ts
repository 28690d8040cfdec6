import { fileURLToPath } from 'node:url';
import Postgrator from 'postgrator';
import type { Database } from './database.ts';
import { databaseError } from './database-error.ts';

// Any constant: it keeps instances that start together from migrating at once.
const migrationLock = 7_238_541;

/**
 * Brings the schema up to date. All of it in one transaction, so a failed or killed migration leaves
 * the database as it was.
 * @throws HoldfastError `database-failed`; also when a migration that was applied has been edited since.
 */
export async function migrate(database: Database): Promise<void> {
  try {
    await database.transaction(async (session) => {
      await session.query('select pg_advisory_xact_lock($1)', [migrationLock]);
      const [row] = await session.query<{ name: string }>('select current_database() as name');
      const postgrator = new Postgrator({
        driver: 'pg',
        database: row!.name,
        schemaTable: 'schema_version',
        migrationPattern: `${fileURLToPath(new URL('./migrations/', import.meta.url))}*.sql`,
        execQuery: async (sql) => ({ rows: [...(await session.query(sql))] }),
        execSqlScript: (sql) => session.script(sql),
      });
      await postgrator.migrate();
    });
  } catch (error) {
    throw databaseError(error);
  }
}
