import Postgrator from 'postgrator';
import type { Database, Session } from './database.ts';
import { databaseError } from './database-error.ts';
import { expectSchema, migrationsFolder, schemaColumn, schemaVersion } from './schema.ts';

// Any constant: it keeps instances that start together from migrating at once.
const migrationLock = 7_238_541;

/**
 * Brings the schema up to date. All of it in one transaction, so a failed or killed migration leaves
 * the database as it was.
 * @throws HoldfastError `database-failed`; also when a migration that was applied has been edited since.
 * `database-other-schema` where a newer detector has brought it further.
 */
export async function migrate(database: Database): Promise<void> {
  try {
    await database.transaction(async (session) => {
      await session.query('select pg_advisory_xact_lock($1)', [migrationLock]);
      const [row] = await session.query<{ name: string; exists: boolean }>(
        `select current_database() as name, to_regclass('schema_version') is not null as exists`,
      );
      if (row!.exists) await expectNoNewer(session);
      const postgrator = new Postgrator({
        driver: 'pg',
        database: row!.name,
        schemaTable: 'schema_version',
        migrationPattern: `${migrationsFolder}*.sql`,
        execQuery: async (sql) => ({ rows: [...(await session.query(sql))] }),
        execSqlScript: (sql) => session.script(sql),
      });
      await postgrator.migrate();
    });
  } catch (error) {
    throw databaseError(error);
  }
}

async function expectNoNewer(session: Session): Promise<void> {
  const [row] = await session.query<{ schema: number | null }>(`select ${schemaColumn}`);
  if ((row!.schema ?? 0) > schemaVersion) expectSchema(row!.schema);
}
