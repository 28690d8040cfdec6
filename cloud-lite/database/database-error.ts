import { HoldfastError } from '../../kernel/errors.ts';

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const givenUp = new Set(['40001', '40P01']);
const transientClasses = new Set(['08', '53', '57', '58']);
const connectionCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);

/** The transaction lost against another one; running it again is expected to succeed. */
export function isGivenUp(error: unknown): boolean {
  return givenUp.has(sqlState(error) ?? '');
}

export function databaseError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const message = `the database failed: ${error instanceof Error ? error.message : String(error)}`;
  return new HoldfastError('database-failed', message, { retryable: isTransient(error), cause: error });
}

function isTransient(error: unknown): boolean {
  const state = sqlState(error);
  // A lost connection has no SQLSTATE, and pg says so in words only.
  if (state === undefined) return /connection|timeout|terminated/i.test(String(error));
  return givenUp.has(state) || transientClasses.has(state.slice(0, 2)) || connectionCodes.has(state);
}

function sqlState(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < 3 && typeof current === 'object' && current !== null; depth++) {
    const { code } = current as { code?: unknown };
    if (typeof code === 'string' && code !== 'database-failed') return code;
    current = (current as { cause?: unknown }).cause;
  }
  return undefined;
}
