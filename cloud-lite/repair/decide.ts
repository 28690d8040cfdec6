// Decides the next step of a request. Pure: facts in, decision out.
import { describeError } from '../../kernel/errors.ts';
import { cutText } from '../../kernel/text.ts';
import { type Coverage, size } from '../../wire/coverage.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import { type MethodOutcome, retryAfterOf } from './hub-methods.ts';

export interface RepairLimits {
  /** How long a gap may be only late. Also how long an answer may take that the module says it has sent. */
  readonly detectionDelayMs: number;
  /** A request without progress for this long has expired. */
  readonly expiryMs: number;
  /** How often a range is asked for before it is abandoned. */
  readonly maxAttempts: number;
  /** Pause before the second attempt; each further one waits four times as long, an hour at most. */
  readonly retryMs: number;
  /** The widest range of one request, by what the stream counts in. */
  readonly maxRange: Readonly<Record<IndexKind, number>>;
  /** Requests that modules may be working on at once. */
  readonly maxActivePerDevice: number;
  readonly maxActive: number;
}

/** Without anything for this long, a request that a module works on gives up its place, not the range. */
export const stallMs = ({ expiryMs }: RepairLimits): number => Math.min(300_000, expiryMs / 4);

export const endStates = ['closed', 'partly-void', 'expired', 'abandoned', 'cancelled'] as const;
export type EndState = (typeof endStates)[number];
export type RequestState = 'pending' | 'accepted' | EndState;

/** Splits what is to be asked into requests no wider than `maxRange`, in order, at most `limit`. */
export function splitAsk(ask: Coverage, maxRange: number, limit: number): readonly Window[] {
  const windows: Window[] = [];
  for (const { start, end } of ask) {
    for (let from = start; from < end && windows.length < limit; from += maxRange) {
      windows.push({ start: from, end: Math.min(end, from + maxRange) });
    }
  }
  return windows;
}

export interface OpenRequest {
  readonly state: 'pending' | 'accepted';
  readonly attempt: number;
  /** Missing of it when last looked at, and now. */
  readonly remaining: Coverage;
  readonly missing: Coverage;
  /** Part of it is void, and no data came for that part. */
  readonly partlyVoid: boolean;
  /** Part of it was waived by a person, and no data came for that part. */
  readonly partlyWaived?: boolean;
  /** Epoch ms. */
  readonly progressAt: number;
  /** When the module reported that it has queued all it has. */
  readonly answeredAt?: number;
  /** When backfill, for any request, last came from the module. */
  readonly moduleBackfillAt: number;
  /** Up to when all messages of the module are read: now, unless messages wait unread in the hub. */
  readonly knownUntil: number;
  /** When anything at all last came from the module. */
  readonly moduleHeardAt: number;
}

export type Following =
  | { readonly kind: 'same' }
  | { readonly kind: 'progress' }
  | { readonly kind: 'ended'; readonly state: EndState; readonly cause: string };

/** The state of a request, as the ledger shows it. */
export function followRequest(request: OpenRequest, limits: RepairLimits): Following {
  if (request.missing.length === 0) return nothingMissing(request);
  if (size(request.missing) < size(request.remaining)) return { kind: 'progress' };
  if (request.state === 'pending') return { kind: 'same' };
  const cause = overdue(request, limits);
  if (cause === undefined) return { kind: 'same' };
  return { kind: 'ended', state: request.attempt >= limits.maxAttempts ? 'abandoned' : 'expired', cause };
}

/** Closes the request; the cause names the evidence: data that arrived, a void, or a person's waiver. */
function nothingMissing({ partlyVoid, partlyWaived = false }: OpenRequest): Following {
  const waived = partlyWaived ? ', part of it was waived' : '';
  if (partlyVoid)
    return { kind: 'ended', state: 'partly-void', cause: `nothing is missing, part of it is void${waived}` };
  const cause = partlyWaived ? `nothing is missing${waived}` : 'all of it arrived';
  return { kind: 'ended', state: 'closed', cause };
}

function overdue(request: OpenRequest, limits: RepairLimits): string | undefined {
  const now = request.knownUntil;
  if (now - request.progressAt >= limits.expiryMs) return 'no progress until it expired';
  // The module has queued all it has, its lane has gone quiet, and part of the answer is not here: lost on
  // the way. As long as backfill of any kind comes from it, the rest may stand in the same queue; and as long as
  // nothing at all comes from it, all of it may: only while the module is heard, quiet counts.
  if (request.answeredAt === undefined) return undefined;
  const quietSince = Math.max(request.answeredAt, request.progressAt, request.moduleBackfillAt);
  const quietMs = Math.min(now, request.moduleHeardAt) - quietSince;
  return quietMs >= limits.detectionDelayMs ? 'answered, but not all of it arrived' : undefined;
}

/** The module was not reached, so this is no attempt: everything for that module, or for the hub, waits. */
export interface Waits {
  readonly kind: 'wait';
  /** `hub`: no module can be called. */
  readonly whose: 'module' | 'hub';
  readonly unreachable: boolean;
  readonly retryAfterMs?: number;
  readonly why: string;
}

/** What the outcome of sending a request means for it. */
export type Sent =
  | { readonly kind: 'accepted'; readonly answered: boolean }
  | Waits
  /** The module answered that it cannot take the request now. Meanwhile time uses up attempts, not calls. */
  | { readonly kind: 'declined'; readonly why: string }
  /** The module will never take this request. */
  | { readonly kind: 'refused'; readonly why: string };

export function judgeBackfillAnswer(outcome: MethodOutcome): Sent {
  const waits = judgeWait(outcome);
  if (waits !== undefined) return waits;
  const { status, payload } = outcome as Answered;
  if (status === 200 || status === 202) return { kind: 'accepted', answered: stateOf(payload) === 'done' };
  const why = `the module answered ${status}${detailOf(payload)}`;
  // 404 among the others: a source that is not up yet, after a start, is not known yet.
  return status === 400 ? { kind: 'refused', why } : { kind: 'declined', why };
}

export type FollowUp =
  | { readonly kind: 'working' }
  /** All it has is queued for sending, or sent. */
  | { readonly kind: 'answered' }
  /** The module does not know the request (any more): send it again. */
  | { readonly kind: 'forgotten'; readonly why: string }
  | Waits
  | { readonly kind: 'unknown'; readonly why: string };

/** What the outcome of `getBackfill` means. */
export function judgeFollowUp(outcome: MethodOutcome): FollowUp {
  const waits = judgeWait(outcome);
  if (waits !== undefined) return waits;
  const { status, payload } = outcome as Answered;
  if (status === 404) return { kind: 'forgotten', why: 'the module does not know the request' };
  if (status !== 200) return { kind: 'unknown', why: `the module answered ${status}` };
  const state = stateOf(payload);
  return state === 'done' || state === 'cancelled' ? { kind: 'answered' } : { kind: 'working' };
}

type Answered = Extract<MethodOutcome, { kind: 'answered' }>;

/** Undefined when the module has answered the request. */
function judgeWait(outcome: MethodOutcome): Waits | undefined {
  if (outcome.kind === 'answered') {
    const { status, payload } = outcome;
    // Too many jobs, or stopping: it said itself that later is better.
    return status === 429 || status === 503
      ? {
          kind: 'wait',
          whose: 'module',
          unreachable: false,
          why: `the module answered ${status}${detailOf(payload)}`,
        }
      : undefined;
  }
  // A hub that fails may do so over one module: it is no reason not to call the others.
  const whose = outcome.kind === 'throttled' || outcome.kind === 'unauthorised' ? 'hub' : 'module';
  const wait = {
    kind: 'wait',
    whose,
    unreachable: outcome.kind === 'unreachable',
    why: outcome.detail,
  } as const;
  const retryAfterMs = retryAfterOf(outcome);
  return retryAfterMs === undefined ? wait : { ...wait, retryAfterMs };
}

function stateOf(payload: unknown): unknown {
  return typeof payload === 'object' && payload !== null ? (payload as { state?: unknown }).state : undefined;
}

function detailOf(payload: unknown): string {
  if (payload === undefined || payload === null) return '';
  return `: ${cutText(showPayload(payload), 300)}`;
}

/** A parsed payload may still be nested too deeply to be written. */
function showPayload(payload: unknown): string {
  try {
    return JSON.stringify(payload);
  } catch (error) {
    return `a payload that cannot be shown (${describeError(error)})`;
  }
}
