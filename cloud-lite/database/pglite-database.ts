// PGlite: PostgreSQL inside this process, its data in a folder. The only importer of the library.
// It has one connection, so transactions and statements queue up behind each other.
//
// Its file system layer does not sync: a commit survives the death of the process, but power loss may
// damage the folder. That is acceptable for a ledger which the hub's retention can rebuild; where it
// is not, DATABASE_URL names a PostgreSQL server.
import { mkdir } from 'node:fs/promises';
import { PGlite, type Transaction } from '@electric-sql/pglite';
import type { Database, Session } from './database.ts';
import { databaseError, repeatGivenUp } from './database-error.ts';
import { lockFolder } from './folder-lock.ts';

const int8Oid = 20;

/**
 * @param folder where the data lies, made if missing; undefined keeps everything in memory.
 * @throws HoldfastError `database-folder-in-use` while another process has the folder open.
 */
export async function openPgliteDatabase(folder: string | undefined): Promise<Database> {
  const lock = folder === undefined ? undefined : await lockFolder(folder);
  try {
    if (folder !== undefined) await mkdir(folder, { recursive: true });
    // Our int8 values are within +-(2^53 - 1) (wire/window.ts), so a number holds them exactly.
    const options = { parsers: { [int8Oid]: Number } };
    const pglite = await PGlite.create(folder === undefined ? options : { ...options, dataDir: folder });
    return pgliteDatabase(pglite, () => lock?.release() ?? Promise.resolve());
  } catch (error) {
    await lock?.release();
    throw databaseError(error);
  }
}

function pgliteDatabase(pglite: PGlite, release: () => Promise<void>): Database {
  const own = sessionOf(pglite);
  let closing: Promise<void> | undefined;
  return {
    engine: 'pglite',
    query: <R extends object>(sql: string, params?: readonly unknown[]) =>
      own.query<R>(sql, params).catch(rethrow),
    script: (sql) => own.script(sql).catch(rethrow),
    transaction: (work) => repeatGivenUp(() => pglite.transaction((tx) => work(sessionOf(tx)))),
    close() {
      closing ??= pglite.close().finally(release);
      return closing;
    },
  };
}

function sessionOf(target: PGlite | Transaction): Session {
  return {
    query: async <R extends object>(sql: string, params: readonly unknown[] = []) =>
      (await target.query<R>(sql, [...params])).rows,
    script: async (sql) => {
      await target.exec(sql);
    },
  };
}

function rethrow(error: unknown): never {
  throw databaseError(error);
}
