import { describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { StreamChange } from './window-store.ts';
import { createWindows } from './windows.ts';

describe('limits that change while windows are open', () => {
  it('close what is due by them, commit at the new pace, and claim as before', async () => {
    const clock = new VirtualClock();
    const commits: (readonly StreamChange[])[] = [];
    const store = {
      openStream: () => ({ continuity: 'proven' as const }),
      commitWindows: async (changes: readonly StreamChange[]) => {
        commits.push(changes);
        return [];
      },
    };
    const windows = createWindows({
      store,
      clock,
      log: silentLog,
      metrics: noMetrics,
      limits: { ageMs: 60_000, quietMs: 60_000, commitIntervalMs: 1000 },
    });
    const closed = () => commits.flat().flatMap((change) => change.closed.map(({ batch }) => batch.window));
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    const say = (index: number) => {
      sink.emit({ kind: 'readings', readings: [{ index, tag: 't', value: 1, quality: 'good' }] });
      sink.emit({ kind: 'observed', until: index + 1 });
    };
    sink.emit({ kind: 'resumed', at: 0 });
    say(1);
    await clock.advance(10_000);
    expect(closed()).toEqual([]);
    windows.setLimits({ ageMs: 2000, quietMs: 2000, commitIntervalMs: 50 });
    await clock.advance(100);
    expect(closed()).toEqual([{ start: 0, end: 2 }]);
    const before = commits.length;
    say(2);
    await clock.advance(60);
    expect(commits.length).toBe(before + 1);
    await clock.advance(3000);
    expect(closed()).toEqual([
      { start: 0, end: 2 },
      { start: 2, end: 3 },
    ]);
  });
});
