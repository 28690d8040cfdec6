import { HoldfastError } from '../../kernel/errors.ts';

// SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
const givenUp = new Set(['40001', '40P01']);
/**
 * Not of the work: connection, state and rights of the session, a schema that is not ours, a transaction that was given up,
 * resources, locks, an operator, the system, files of configuration, foreign data. What else fails will fail again with
 * the same data, whatever its class: nothing may block for good what comes after it.
 */
const outerClasses = new Set(['08', '25', '28', '3D', '3F', '40', '42', '53', '55', '57', '58', 'F0', 'HV']);
/** Damaged files of the database. Other internal errors are of a statement and its data. */
const damages = new Set(['XX001', 'XX002']);

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
  const state = sqlState(error);
  if (state !== undefined && !outerClasses.has(state.slice(0, 2)) && !damages.has(state)) {
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
