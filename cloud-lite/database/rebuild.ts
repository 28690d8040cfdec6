// Starts an empty ledger. Everything that the hub still retains is read again; older data is forgotten. So this is for a
// ledger that is lost or damaged.
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import type { Database } from './database.ts';
import { lockFolder } from './folder-lock.ts';

/**
 * Sets a PGlite folder aside; never opens it, as it may not open any more.
 * @returns where it is now; undefined when there was none.
 * @throws HoldfastError `database-folder-in-use`.
 */
export async function setFolderAside(folder: string, now: number): Promise<string | undefined> {
  if (!existsSync(folder)) return undefined;
  const lock = await lockFolder(folder);
  try {
    const aside = `${folder.replace(/\/+$/, '')}.set-aside-${now}`;
    await rename(folder, aside);
    return aside;
  } finally {
    await lock.release();
  }
}

/**
 * Empties every table but the schema's version, in one statement: all or nothing. Ids go on counting: a detector that
 * runs meanwhile remembers streams by theirs, and must meet none that now means another stream.
 */
export async function emptyLedger(database: Database): Promise<void> {
  const tables = await database.query<{ name: string }>(
    `select quote_ident(tablename) as name from pg_tables
      where schemaname = current_schema() and tablename <> 'schema_version'`,
  );
  await database.script(`truncate ${tables.map((table) => table.name).join(', ')} cascade`);
}
