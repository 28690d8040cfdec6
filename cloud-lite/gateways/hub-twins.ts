// The port for reading twins: a query of the hub's, a page at a time.

export type TwinAnswer =
  | { readonly kind: 'page'; readonly twins: readonly unknown[]; readonly next: string | undefined }
  /** The hub has too much to do. */
  | { readonly kind: 'throttled'; readonly retryAfterMs?: number; readonly detail: string }
  /** The hub does not take our credential. */
  | { readonly kind: 'unauthorised'; readonly detail: string }
  /** The hub cannot be reached, failed, or refuses the query or the continuation. */
  | { readonly kind: 'hub-failed'; readonly detail: string };

export interface HubTwins {
  /** `from`: the `next` of the page before. Bounded in time; never rejects, except with the signal's reason when it aborts. */
  query(query: string, from: string | undefined, signal: AbortSignal): Promise<TwinAnswer>;
}
