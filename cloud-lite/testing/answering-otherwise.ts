// A database some of whose statements are answered by a test.
import type { Database, Row, Session } from '../database/database.ts';

/** Statements within transactions for which `instead` gives an answer have that one. */
export function answeringOtherwise(
  database: Database,
  instead: (
    sql: string,
    params: readonly unknown[] | undefined,
    session: Session,
  ) => Promise<readonly Row[]> | undefined,
): Database {
  return {
    ...database,
    transaction: (work) =>
      database.transaction((session) =>
        work({
          ...session,
          query: <R extends object>(sql: string, params?: readonly unknown[]) =>
            (instead(sql, params, session) as Promise<readonly R[]> | undefined) ??
            session.query<R>(sql, params),
        }),
      ),
  };
}

/** What the database refuses for the value in it. */
export const poison = (session: Session) => session.query(`select 'poison'::int8`);
