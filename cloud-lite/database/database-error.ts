import { HoldfastError } from '../../kernel/errors.ts';

// SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
const givenUp = new Set(['40001', '40P01']);
/** Data exception, integrity violation, program limit: the same data will fail again. */
const dataClasses = new Set(['22', '23', '54']);

/** The statement took longer than it may. */
const tooSlow = '57014';

const maxAttempts = 5;

/**
 * Runs a transaction, and runs it again while it loses against another one: that is expected to succeed.
 * Rejects with what `databaseError` makes of anything else, and of the last attempt.
 */
export async function repeatGivenUp<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction();
    } catch (error) {
      const isGivenUp = givenUp.has(sqlState(error) ?? '');
      if (!isGivenUp || attempt >= maxAttempts) throw databaseError(error);
    }
  }
}

/** The statement or its size is at fault; a smaller one, or another, may succeed. */
export function isOfTheWork(error: unknown): boolean {
  const code = error instanceof HoldfastError ? error.code : undefined;
  return code === 'database-refused-data' || code === 'database-too-slow';
}

/**
 * `database-refused-data` when what was to be written is at fault, `database-too-slow` when a statement ran out of time.
 * Everything else is `database-failed` and retryable: a server that is away, full, read only or misconfigured comes right without our doing.
 */
export function databaseError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const message = `the database failed: ${error instanceof Error ? error.message : String(error)}`;
  const state = sqlState(error) ?? '';
  if (dataClasses.has(state.slice(0, 2))) {
    return new HoldfastError('database-refused-data', message, { cause: error });
  }
  const code = state === tooSlow ? 'database-too-slow' : 'database-failed';
  return new HoldfastError(code, message, { retryable: true, cause: error });
}

function sqlState(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < 3 && typeof current === 'object' && current !== null; depth++) {
    const { code } = current as { code?: unknown };
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code;
    current = (current as { cause?: unknown }).cause;
  }
  return undefined;
}
