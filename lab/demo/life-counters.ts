// Sums the runtime's counters over its restarts: they begin at zero in each process, while people watch one total.
import type { LiveState } from './live-state.ts';

type RuntimeView = NonNullable<LiveState['runtime']>;

export interface LifeCounters {
  /** The view with the counts of all lives so far. */
  add(view: RuntimeView | undefined): RuntimeView | undefined;
}

export function createLifeCounters(): LifeCounters {
  const counters = ['readings', 'acknowledged', 'decided', 'carriedOut'] as const;
  const before = { readings: 0, acknowledged: 0, decided: 0, carriedOut: 0 };
  const last = { ...before };
  return {
    add(view) {
      if (view === undefined) return undefined;
      // A count that went back is of another life.
      const isNewLife = counters.some((name) => view[name] < last[name]);
      for (const name of counters) {
        if (isNewLife) before[name] += last[name];
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
