// The database as one detector sees it, up to that detector's crash, which comes between any two statements, in a
// transaction or not, or after a commit whose result is never received. From then on the detector reaches nothing.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Database, Session } from '../../database/database.ts';

/** Retryable, so that it is handed on as a database that is away. */
class Death extends HoldfastError {
  constructor() {
    super('test-death', 'the detector was killed', { retryable: true });
  }
}

export interface MortalDatabase extends Database {
  readonly isDead: boolean;
  /** It dies before the statement after so many more, a commit counting as one. */
  dieAfter(statements: number): void;
  die(): void;
}

export function mortal(database: Database): MortalDatabase {
  let left = Number.POSITIVE_INFINITY;
  const isDead = () => left < 0;
  const step = () => {
    if (left-- <= 0) {
      left = -1;
      throw new Death();
    }
  };
  const inTransaction = (session: Session): Session => ({
    query: async (sql, params) => {
      await stepOrDisconnect(session);
      return session.query(sql, params);
    },
    script: async (sql) => {
      await stepOrDisconnect(session);
      return session.script(sql);
    },
  });
  // What a kill leaves the server with is a lost connection amid a transaction, and so it is here where there is one.
  const stepOrDisconnect = async (session: Session) => {
    try {
      step();
    } catch (death) {
      if (database.engine === 'postgres') {
        await session.query('select pg_terminate_backend(pg_backend_pid())').catch(() => {});
      }
      throw death;
    }
  };
  return {
    ...database,
    get isDead() {
      return isDead();
    },
    dieAfter(statements) {
      if (!isDead()) left = statements;
    },
    die() {
      left = -1;
    },
    query: async (sql, params) => {
      step();
      return database.query(sql, params);
    },
    script: async (sql) => {
      step();
      return database.script(sql);
    },
    transaction: async (work) => {
      if (isDead()) throw new Death();
      const result = await database.transaction((session) => work(inTransaction(session)));
      step();
      return result;
    },
  };
}
