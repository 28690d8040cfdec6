// Errors as problem details, RFC 9457.
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import { tellableTrouble } from '../health/trouble.ts';

export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Stable, from docs/ERRORS.md. */
  readonly code?: string;
}

const titles: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not found',
  409: 'Conflict',
  413: 'Payload too large',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Unavailable',
};

export class HttpProblem extends HoldfastError {
  readonly status: number;

  constructor(status: number, code: string, detail: string) {
    super(code, detail);
    this.status = status;
  }
}

/** The problem that a caller gets for an error. A bug's message stays in the log. */
export function problemOf(error: unknown): Problem {
  const status = statusOf(error);
  const detail = status === 500 ? 'this is a fault of the detector; its log says more' : detailOf(error);
  const code = error instanceof HoldfastError ? { code: error.code } : {};
  return { type: 'about:blank', title: titles[status] ?? 'Error', status, detail, ...code };
}

/** For errors that are not our own, only text that names no host. */
function detailOf(error: unknown): string {
  return error instanceof HoldfastError && !(error instanceof HttpProblem)
    ? tellableTrouble(error)
    : describeError(error);
}

function statusOf(error: unknown): number {
  if (error instanceof HttpProblem) return error.status;
  if (error instanceof HoldfastError) return error.retryable ? 503 : 500;
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : 500;
}
