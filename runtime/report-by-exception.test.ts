// A source that reports changes only, into real windows: wherever an event of it finds no room, what is claimed afterwards
// begins with all values again. Silence says "no change" only as long as nothing was dropped.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { noMetrics } from '../kernel/metrics.ts';
import { VirtualClock } from '../kernel/testing/virtual-clock.ts';
import type { Reading } from '../wire/reading.ts';
import { Observation } from './sources/observation.ts';
import { ReportFilter } from './sources/report-filter.ts';
import type { SourceEvent, SourceSink } from './sources/source.ts';
import { StampingSink } from './time/stamping-sink.ts';
import type { ClosedWindow, StreamChange } from './windows/window-store.ts';
import { createWindows } from './windows/windows.ts';

const start = Date.UTC(2026, 10, 22);

function bench(between: (inner: SourceSink) => SourceSink = (inner) => inner) {
  const clock = new VirtualClock(start);
  const closed: ClosedWindow[] = [];
  let stalled: PromiseWithResolvers<void> | undefined;
  const windows = createWindows({
    store: {
      openStream: () => ({ continuity: 'proven' }),
      async commitWindows(changes: readonly StreamChange[]) {
        await stalled?.promise;
        closed.push(...changes.flatMap((change) => change.closed));
        return [];
      },
    },
    clock,
    log: silentLog,
    metrics: noMetrics,
    limits: { maxMemoryBytes: 1500, ageMs: 5000, quietMs: 5000 },
  });
  const sink = between(windows.openStream({ batchId: 'meter', index: 'time', pace: 'own' }));
  const filter = new ReportFilter([{ name: 'v', deadband: 0.5, heartbeatMs: 1e9 }]);
  const observation = new Observation(sink, { filter });
  /** By time, what the equipment showed at each poll. */
  const shown = new Map<number, number>();
  const poll = async (value: number, times: number) => {
    for (let n = 0; n < times; n++) {
      await clock.advance(1000);
      const index = clock.now();
      shown.set(index, value);
      observation.report(index, [{ index, tag: 'v', value, quality: 'good' }], { now: clock.monotonic() });
    }
  };
  return {
    windows,
    poll,
    stall() {
      stalled = Promise.withResolvers();
    },
    release() {
      stalled?.resolve();
      stalled = undefined;
    },
    /** Polls in claimed windows whose value is not the last one reported in that run of windows; and how many polls are. */
    async judge() {
      await Promise.all([windows.closeAll(), clock.advance(1000)]);
      const wrong: number[] = [];
      const live = closed.filter(({ late }) => !late).map(({ batch }) => batch);
      live.sort((a, b) => a.window.start - b.window.start);
      let end = Number.NaN;
      let last: Reading | undefined;
      let claimed = 0;
      for (const { window, readings } of live) {
        if (window.start !== end) last = undefined;
        ({ end } = window);
        for (const [index, value] of shown) {
          if (index < window.start || index >= window.end) continue;
          claimed += 1;
          last = readings.findLast((reading) => reading.index <= index) ?? last;
          if (last?.value !== value) wrong.push(index - start);
        }
      }
      return { wrong, claimed };
    },
  };
}

describe('a change that found no room is reported again before anything is claimed', () => {
  it('when memory is full of what the disk does not take', async () => {
    const { poll, stall, release, judge } = bench();
    await poll(1, 20);
    stall();
    // Noise fills the memory; then the value changes once, and stays.
    for (let n = 0; n < 40; n++) await poll(10 * (n + 1), 1);
    await poll(50, 1);
    release();
    await poll(50, 30);
    const { wrong, claimed } = await judge();
    expect(wrong).toEqual([]);
    expect(claimed).toBeGreaterThan(40);
    expect(claimed).toBeLessThan(91);
  });

  it('when the stream is held back', async () => {
    const { windows, poll, judge } = bench();
    await poll(1, 10);
    windows.pause(() => true);
    await poll(50, 10);
    windows.pause(undefined);
    await poll(50, 10);
    const { wrong, claimed } = await judge();
    expect(wrong).toEqual([]);
    expect(claimed).toBeGreaterThanOrEqual(17);
    expect(claimed).toBeLessThanOrEqual(20);
  });

  it('when the disk tells that claims were lost', async () => {
    const { windows, poll, judge } = bench();
    await poll(1, 10);
    windows.loseContinuity();
    await poll(50, 10);
    expect((await judge()).wrong).toEqual([]);
  });

  it('when the journal of what waits for the clock is full', async () => {
    const kept: SourceEvent[] = [];
    let room = 6;
    let stamping!: StampingSink;
    const { poll, judge } = bench((inner) => {
      stamping = new StampingSink({
        batchId: 'meter',
        inner,
        offset: { offsetMs: 0, marked: false },
        slewMs: 100,
        floor: undefined,
        check: () => {},
        keep(event) {
          if (event.kind === 'readings' && room-- <= 0) return false;
          kept.push(event);
          return true;
        },
        kept: async () => {},
        onRefused: () => {},
      });
      return stamping;
    });
    await poll(1, 5);
    stamping.wait('clock-not-trusted');
    for (let n = 0; n < 8; n++) await poll(10 * (n + 1), 2);
    await poll(50, 5);
    stamping.beginPlacing({ offsetMs: 0, marked: false }, undefined);
    for (const event of kept.splice(0)) stamping.placeKept(event);
    stamping.endWaiting();
    await poll(50, 10);
    const { wrong, claimed } = await judge();
    expect(wrong).toEqual([]);
    expect(claimed).toBeGreaterThan(15);
  });
});
