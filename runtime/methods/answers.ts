// The answers of the module's direct methods, with status codes as HTTP has them.

import { formatIndex } from '../../wire/index-position.ts';
import type { FieldError } from '../../wire/methods.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { MethodAnswer } from '../uplink/uplink.ts';
import type { JobRecord } from './backfill-store.ts';
import { remainingOf } from './job-ranges.ts';

export function answer(status: number, body: unknown): MethodAnswer {
  return { status, body };
}

export function badRequest(errors: readonly FieldError[]): MethodAnswer {
  return answer(400, {
    error: errors.map(({ field, problem }) => `${field}: ${problem}`).join('; '),
    errors,
  });
}

export function notFound(what: string): MethodAnswer {
  return answer(404, { error: what });
}

export function tooMany(what: string): MethodAnswer {
  return answer(429, { error: what });
}

export function stopping(): MethodAnswer {
  return answer(503, { error: 'the module is stopping' });
}

/** Lists longer than this are cut: an answer has at most 128 KiB. */
const maxListed = 500;

/**
 * `{requestId, batchId, state, ended, requested, covered, void, remaining}`; windows as `[start, end]` texts. Of a job for late
 * windows: their numbers, `end` being the one after the last, and `lateSeries`. `waiting`: why it gets no further now.
 */
export function jobReport(job: JobRecord, waiting?: string): object {
  const { requestId, batchId, state, ended, range, lateSeries } = job;
  const index = lateSeries === undefined ? job.index : 'sequence';
  const remaining = remainingOf(job);
  return {
    requestId,
    batchId,
    state,
    ...(ended === undefined ? {} : { ended }),
    ...(waiting === undefined ? {} : { waiting }),
    ...(lateSeries === undefined ? {} : { lateSeries }),
    requested: pair(index, range),
    covered: job.covered.slice(0, maxListed).map((window) => pair(index, window)),
    void: job.voids.slice(0, maxListed).map(({ window, reason }) => [...pair(index, window), reason]),
    remaining: remaining.slice(0, maxListed).map((window) => pair(index, window)),
    ...(isLong(job, remaining.length) ? { truncated: true } : {}),
  };
}

function isLong(job: JobRecord, remaining: number): boolean {
  return Math.max(job.covered.length, job.voids.length, remaining) > maxListed;
}

function pair(index: IndexKind, window: Window): [string, string] {
  return [formatIndex(index, window.start), formatIndex(index, window.end)];
}
