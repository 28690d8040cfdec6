// The port for calling a module's direct methods.

export interface MethodTarget {
  readonly deviceId: string;
  /** Empty for the device itself. */
  readonly moduleId: string;
}

export type MethodOutcome =
  /** The module itself answered. */
  | { readonly kind: 'answered'; readonly status: number; readonly payload: unknown }
  /** Offline, unknown to the hub, or silent: the module may still have got the call. */
  | { readonly kind: 'unreachable'; readonly detail: string }
  /** The hub has too much to do. */
  | { readonly kind: 'throttled'; readonly retryAfterMs?: number; readonly detail: string }
  /** The hub does not take our credential: nothing that the module could help. */
  | { readonly kind: 'unauthorised'; readonly detail: string }
  /** The hub itself failed or cannot be reached. */
  | { readonly kind: 'hub-failed'; readonly detail: string };

/** An hour. */
const maxRetryAfterMs = 3_600_000;

/** For how long the hub wants to be left alone, whole ms; undefined where it says nothing that can be believed. */
export function retryAfterOf(outcome: MethodOutcome): number | undefined {
  const ms = outcome.kind === 'throttled' ? outcome.retryAfterMs : undefined;
  return ms !== undefined && ms > 0 ? Math.min(Math.ceil(ms), maxRetryAfterMs) : undefined;
}

export interface HubMethods {
  /** Bounded in time; never rejects, except with the signal's reason when it aborts. */
  call(target: MethodTarget, method: string, payload: object, signal: AbortSignal): Promise<MethodOutcome>;
}
