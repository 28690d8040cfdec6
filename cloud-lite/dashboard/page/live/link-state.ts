// Whether the data on the page is current. Pure.
export interface LinkState {
  /** The stream of changes. */
  readonly changes: 'connecting' | 'open' | 'lost';
  /** When data last came, by this machine's clock. */
  readonly lastDataAt: number | undefined;
  /** Why the last call failed; undefined where it succeeded. */
  readonly problem: string | undefined;
  /** When what is shown stopped being of now. */
  readonly awaySince: number | undefined;
  /** When the stream of changes is tried again. */
  readonly retryAt: number | undefined;
}

export type LinkEvent =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'opened' }
  | { readonly kind: 'lost'; readonly at: number; readonly retryAt: number }
  | { readonly kind: 'loaded'; readonly at: number }
  | { readonly kind: 'failed'; readonly at: number; readonly problem: string };

export const firstLinkState: LinkState = {
  changes: 'connecting',
  lastDataAt: undefined,
  problem: undefined,
  awaySince: undefined,
  retryAt: undefined,
};

export function reduceLink(state: LinkState, event: LinkEvent): LinkState {
  switch (event.kind) {
    case 'connecting':
      return { ...state, changes: 'connecting', retryAt: undefined };
    case 'opened':
      return settle({ ...state, changes: 'open', retryAt: undefined });
    case 'lost':
      return away({ ...state, changes: 'lost', retryAt: event.retryAt }, event.at);
    case 'loaded':
      return settle({ ...state, lastDataAt: event.at, problem: undefined });
    case 'failed':
      return away({ ...state, problem: event.problem }, event.at);
  }
}

export type LinkMood = 'starting' | 'live' | 'away';

export function moodOf(state: LinkState): LinkMood {
  if (state.awaySince !== undefined) return 'away';
  return state.changes === 'open' && state.lastDataAt !== undefined ? 'live' : 'starting';
}

/** Since the last good answer, not since its absence was noticed. */
const away = (state: LinkState, at: number): LinkState => ({
  ...state,
  awaySince: state.awaySince ?? state.lastDataAt ?? at,
});

/** Both must be well: changes that come while calls fail, or the other way round, are half a truth. */
const settle = (state: LinkState): LinkState =>
  state.changes === 'open' && state.problem === undefined ? { ...state, awaySince: undefined } : state;
