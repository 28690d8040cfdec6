import { HoldfastError } from '../../kernel/errors.ts';

// SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
const givenUp = new Set(['40001', '40P01']);
/** Data exception, integrity violation, program limit: the same data will fail again. */
const dataClasses = new Set(['22', '23', '54']);

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

/**
 * `database-refused-data` when what was to be written is at fault. Everything else is `database-failed`
 * and retryable: a server that is away, full, read only or misconfigured comes right without our doing.
 */
export function databaseError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const message = `the database failed: ${error instanceof Error ? error.message : String(error)}`;
  return dataClasses.has((sqlState(error) ?? '').slice(0, 2))
    ? new HoldfastError('database-refused-data', message, { cause: error })
    : new HoldfastError('database-failed', message, { retryable: true, cause: error });
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
