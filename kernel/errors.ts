import { withNames } from './system-errors.ts';

export interface ErrorOptions {
  /** The same call may succeed later without anyone changing anything. Default false. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/**
 * Base of every error that we raise on purpose. `code` is stable (listed in docs/ERRORS.md) and is what
 * programs match on; the message is for people, says what, where and what to do, and may change.
 */
export class HoldfastError extends Error {
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** For a line of the log: the code of what was thrown, or of the first of its causes that has one; else `otherwise`. */
export function codeOf(error: unknown, otherwise: string): string {
  let current: unknown = error;
  // Bounded: a cause chain may be a cycle.
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if (current instanceof HoldfastError) return current.code;
    current = current.cause;
  }
  return otherwise;
}

/** The message of whatever was thrown, with the messages of its causes. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  // Bounded: a cause chain may be a cycle.
  for (let depth = 0; depth < 5 && current !== undefined && current !== null; depth++) {
    const text = current instanceof Error ? current.message || current.name : showThrown(current);
    if (!parts.includes(text)) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return withNames(parts.join(': '));
}

/** Even an object without a prototype can be thrown, and `String` throws at it. */
function showThrown(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return typeof thrown;
  }
}
