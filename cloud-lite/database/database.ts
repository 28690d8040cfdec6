// The port to the database. One SQL dialect (PostgreSQL 15 or later: multiranges with range_agg over
// them) on two engines: PGlite inside the process, or a PostgreSQL server.

/** A value as the drivers hand it over: int8 comes as a number, ranges and multiranges as text. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * What statements are run on: the database itself (each statement its own transaction), or one open
 * transaction. Parameters are `$1`, `$2`, ...; arrays are passed as JavaScript arrays and need a cast.
 */
export interface Session {
  /** @throws HoldfastError `database-failed` (retryable), or `database-refused-data` when the values are at fault. */
  query<R extends object = Row>(sql: string, params?: readonly unknown[]): Promise<readonly R[]>;
  /** Runs several statements, separated by semicolons, without parameters. Throws as `query` does. */
  script(sql: string): Promise<void>;
}

export interface Database extends Session {
  readonly engine: 'pglite' | 'postgres';
  /**
   * Runs `work` in one READ COMMITTED transaction: committed when it resolves, rolled back when it rejects.
   * Runs it again, from the start, when the database gave it up in favour of another transaction (deadlock,
   * serialization failure), so `work` must have no effects outside of the session. Not re-entrant: `work`
   * uses only the session that it is given.
   */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** Waits for what is running. Idempotent. */
  close(): Promise<void>;
}
