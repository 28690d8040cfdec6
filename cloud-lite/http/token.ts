import { createHash, timingSafeEqual } from 'node:crypto';
import { HttpProblem } from './problem.ts';

/**
 * Lets a call pass that carries `Authorization: Bearer <token>`.
 * @throws HttpProblem 403 when no token is configured, 401 when it is not the caller's.
 */
export function requireToken(token: string | undefined, authorization: string | undefined): void {
  if (token === undefined) {
    throw new HttpProblem(
      403,
      'http-actions-disabled',
      'set HOLDFAST_API_TOKEN to allow changes by this API',
    );
  }
  const given = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
  if (given === undefined || !sameText(given, token)) {
    throw new HttpProblem(401, 'http-unauthorized', 'this call needs the bearer token in HOLDFAST_API_TOKEN');
  }
}

/** Hashes first: lengths then agree, and the time taken tells nothing. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
