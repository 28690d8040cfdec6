// Sums the runtime's counters over its restarts: they begin at zero in each process, while people watch one total. Within one
// process a sum may go back, too, by what a source had counted that is run anew, as after a reload.
import type { LiveState } from './live-state.ts';

type RuntimeView = NonNullable<LiveState['runtime']>;

export interface LifeCounters {
  /** The view with the counts of all lives so far. */
  add(view: RuntimeView | undefined): RuntimeView | undefined;
}

/** What a process said last, while it says nothing: its figures are on its disk, and come back with it. */
export interface LastKnown<T> {
  add(said: T | undefined): T | undefined;
}

export function createLastKnown<T>(): LastKnown<T> {
  let last: T | undefined;
  return {
    add(said) {
      last = said ?? last;
      return last;
    },
  };
}

export function createLifeCounters(): LifeCounters {
  const counters = ['readings', 'acknowledged', 'decided', 'carriedOut'] as const;
  const before = { readings: 0, acknowledged: 0, decided: 0, carriedOut: 0 };
  const last = { ...before };
  let startedAt: string | undefined;
  return {
    add(view) {
      if (view === undefined) return undefined;
      const isNewLife = startedAt !== undefined && startedAt !== view.startedAt;
      startedAt = view.startedAt;
      for (const name of counters) {
        before[name] += isNewLife ? last[name] : Math.max(0, last[name] - view[name]);
        last[name] = view[name];
      }
      return {
        ...view,
        readings: before.readings + view.readings,
        acknowledged: before.acknowledged + view.acknowledged,
        decided: before.decided + view.decided,
        carriedOut: before.carriedOut + view.carriedOut,
      };
    },
  };
}
