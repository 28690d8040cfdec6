// A PostgreSQL server, managed or not, by its connection URL. The only importer of pg.
import pg from 'pg';
import type { Log } from '../../kernel/log.ts';
import type { Database, Session } from './database.ts';
import { databaseError, repeatGivenUp } from './database-error.ts';
import { storable } from './storable.ts';

export interface PostgresOptions {
  readonly url: string;
  /** Connections at most. Default 8. */
  readonly maxConnections?: number;
  /** A statement that runs longer is given up. Default 60 s. */
  readonly statementTimeoutMs?: number;
  readonly log: Log;
}

const int8Oid = 20;

/** Connects lazily: an unreachable server shows with the first statement. */
export function openPostgresDatabase(options: PostgresOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections ?? 8,
    connectionTimeoutMillis: 10_000,
    statement_timeout: options.statementTimeoutMs ?? 60_000,
    // The server's own bound does not help when the server is gone without a word.
    query_timeout: (options.statementTimeoutMs ?? 60_000) + 10_000,
    application_name: 'holdfast-cloud-lite',
    keepAlive: true,
    types: { getTypeParser },
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', (error) =>
    options.log.warn(
      { code: 'database-connection-lost', err: error },
      'an idle database connection was lost',
    ),
  );

  const own = sessionOf(pool);
  let closing: Promise<void> | undefined;
  return {
    engine: 'postgres',
    query: <R extends object>(sql: string, params?: readonly unknown[]) =>
      own.query<R>(sql, params).catch(rethrow),
    script: (sql) => own.script(sql).catch(rethrow),
    transaction: (work) => repeatGivenUp(() => runTransaction(pool, work)),
    close() {
      closing ??= pool.end();
      return closing;
    },
  };
}

async function runTransaction<T>(pool: pg.Pool, work: (session: Session) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A connection that is lost inside a transaction reports here too; unheard it would end the process.
  const onError = (error: Error) => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await client.query('begin');
    const result = await work(sessionOf(client));
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

function sessionOf(target: pg.Pool | pg.PoolClient): Session {
  return {
    query: async <R extends object>(sql: string, params: readonly unknown[] = []) =>
      (params.length === 0 ? await target.query(sql) : await target.query(sql, params.map(storable)))
        .rows as R[],
    script: async (sql) => {
      await target.query(sql);
    },
  };
}

function rethrow(error: unknown): never {
  throw databaseError(error);
}

// Our int8 values are within +-(2^53 - 1) (wire/window.ts), so a number holds them exactly.
function getTypeParser(oid: number, format?: 'text' | 'binary') {
  return oid === int8Oid && format !== 'binary'
    ? Number
    : pg.types.getTypeParser(oid, format as unknown as 'text');
}
