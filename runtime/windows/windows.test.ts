import { describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Reading } from '../../wire/reading.ts';
import type { SourceSink } from '../sources/source.ts';
import type { EncodedWindow, StreamChange, WindowStore } from './window-store.ts';
import { createWindows } from './windows.ts';
import type { WindowLimits } from './windows-api.ts';

class FakeStore implements WindowStore {
  readonly commits: (readonly StreamChange[])[] = [];
  floor: number | undefined;
  hold: Promise<void> | undefined;
  closed = false;

  openStream() {
    return { continuity: 'proven' as const, ...(this.floor === undefined ? {} : { floor: this.floor }) };
  }

  async commitWindows(changes: readonly StreamChange[]): Promise<readonly EncodedWindow[]> {
    if (this.closed) throw new Error('closed');
    this.commits.push(changes);
    await this.hold;
    return [];
  }

  get windows(): string[] {
    return this.commits.flat().flatMap((change) =>
      change.closed.map(({ batch, to }) => {
        const { start, end } = batch.window;
        return `${change.batchId} ${start}-${end} ${batch.readings.length} ${to}`;
      }),
    );
  }
}

function start(limits: WindowLimits = {}, store = new FakeStore()) {
  const clock = new VirtualClock();
  const windows = createWindows({ store, clock, log: silentLog, metrics: noMetrics, limits });
  return { clock, store, windows };
}

const reading = (index: number): Reading => ({ index, tag: 'level', value: 1, quality: 'good' });
const say = (sink: SourceSink, index: number) => {
  sink.emit({ kind: 'readings', readings: [reading(index)] });
  sink.emit({ kind: 'observed', until: index + 1 });
};
/** Holds commits until let go. */
const gate = () => {
  let open = () => {};
  const hold = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { hold, open };
};

describe('commits', () => {
  it('hold all streams that changed, once in an interval, and none when nothing changed', async () => {
    const { clock, store, windows } = start();
    const a = windows.openStream({ batchId: 'a', index: 'time' });
    const b = windows.openStream({ batchId: 'b', index: 'time' });
    a.emit({ kind: 'resumed', at: 0 });
    b.emit({ kind: 'resumed', at: 0 });
    say(a, 1);
    say(b, 1);
    say(a, 2);
    await clock.advance(199);
    expect(store.commits).toHaveLength(0);
    await clock.advance(1);
    expect(store.commits).toHaveLength(1);
    expect(store.commits[0]!.map(({ batchId, append }) => [batchId, append?.readings.length])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    await clock.advance(5000);
    expect(store.commits).toHaveLength(1);
    say(a, 3);
    await clock.advance(200);
    expect(store.commits[1]!.map(({ batchId }) => batchId)).toEqual(['a']);
  });

  it('write a mere "observed until" later, unless somebody waits for it', async () => {
    const { clock, store, windows } = start();
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    sink.emit({ kind: 'observed', until: 10 });
    await clock.advance(1000);
    expect(store.commits).toHaveLength(0);
    await clock.advance(1200);
    expect(store.commits).toHaveLength(1);
    sink.emit({ kind: 'observed', until: 20 });
    const durable = sink.durable();
    await clock.advance(200);
    await durable;
    expect(store.commits[1]![0]!.append).toEqual({ start: 0, end: 20, readings: [] });
  });

  it('have how far a stream without readings is observed, also beside one that is never quiet', async () => {
    const { clock, store, windows } = start();
    const [busy, still] = ['busy', 'still'].map((batchId) => windows.openStream({ batchId, index: 'time' }));
    for (const sink of [busy!, still!]) sink.emit({ kind: 'resumed', at: 0 });
    for (let now = 0; now < 7000; now += 100) {
      say(busy!, now);
      still!.emit({ kind: 'observed', until: now + 1 });
      await clock.advance(100);
    }
    const known = store.commits.flat().filter(({ batchId }) => batchId === 'still');
    expect(known).toHaveLength(3);
    expect(known.at(-1)!.append!.end).toBeGreaterThan(5000);
  });

  it('come at once when many bytes wait', async () => {
    const { clock, store, windows } = start({ commitBytes: 1000 });
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    for (let n = 0; n < 30; n++) say(sink, n);
    await clock.advance(0);
    expect(store.commits).toHaveLength(1);
  });

  it('follow at once when as many bytes came during the one before', async () => {
    const { clock, store, windows } = start({ commitBytes: 1000 });
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    say(sink, 0);
    const first = gate();
    store.hold = first.hold;
    await clock.advance(200);
    for (let n = 1; n < 30; n++) say(sink, n);
    store.hold = undefined;
    first.open();
    await clock.advance(0);
    expect(store.commits).toHaveLength(2);
  });

  it('are never two at once, and "durable" waits for one that began after it was asked', async () => {
    const { clock, store, windows } = start();
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    const order: string[] = [];
    await sink.durable();
    sink.emit({ kind: 'resumed', at: 0 });
    say(sink, 1);
    const first = gate();
    store.hold = first.hold;
    void sink.durable().then(() => order.push('first'));
    await clock.advance(200);
    void sink.durable().then(() => order.push('still first'));
    say(sink, 2);
    void sink.durable().then(() => order.push('second'));
    await clock.advance(5000);
    expect(store.commits).toHaveLength(1);
    expect(order).toEqual([]);
    store.hold = undefined;
    first.open();
    await clock.advance(0);
    expect(order).toEqual(['first', 'still first']);
    await clock.advance(200);
    expect(order).toEqual(['first', 'still first', 'second']);
    expect(store.commits[1]![0]!.append?.readings).toEqual([reading(2)]);
  });

  it('come an eighth of the interval apart for who waits for each, and no more often when nobody does', async () => {
    const { clock, store, windows } = start();
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    const startedAt = clock.monotonic();
    let sent = 0;
    const sender = (async () => {
      while (sent < 40) {
        say(sink, ++sent);
        await sink.durable();
      }
    })();
    await clock.advance(40 * 25);
    await sender;
    expect(clock.monotonic() - startedAt).toBe(1000);
    expect(store.commits).toHaveLength(40);
    for (let n = 0; n < 20; n++) {
      say(sink, 100 + n);
      await clock.advance(50);
    }
    expect(store.commits).toHaveLength(45);
  });

  it('fail for good only with the store: whoever waits is told', async () => {
    const { clock, store, windows } = start();
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    say(sink, 1);
    store.closed = true;
    const refused = expect(sink.durable()).rejects.toThrow('closed');
    await clock.advance(200);
    await refused;
    await expect(sink.durable()).rejects.toThrow('closed');
  });
});

describe('windows of all streams', () => {
  it('close by age even if nothing more comes, and leave no timer behind', async () => {
    const { clock, store, windows } = start();
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    say(sink, 5);
    await clock.advance(9_900);
    expect(store.windows).toEqual([]);
    await clock.advance(400);
    expect(store.windows).toEqual(['a 0-6 1 lane']);
    await clock.advance(60_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('close at stop, durably, and take no event after it', async () => {
    const { clock, store, windows } = start();
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    say(sink, 5);
    const stopped = windows.closeAll();
    say(sink, 6);
    await clock.advance(200);
    await stopped;
    expect(store.windows).toEqual(['a 0-6 1 lane']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('close at a reload; the old sink is ignored, the new one goes on above', async () => {
    const { clock, store, windows } = start();
    const old = windows.openStream({ batchId: 'a', index: 'time' });
    old.emit({ kind: 'resumed', at: 0 });
    say(old, 5);
    const next = windows.openStream({ batchId: 'a', index: 'time' });
    say(old, 7);
    next.emit({ kind: 'resumed', at: 20 });
    say(next, 25);
    void windows.closeAll();
    await clock.advance(200);
    expect(store.windows).toEqual(['a 0-6 1 lane', 'a 20-26 1 lane']);
  });

  it('are bounded by the clock of the source that feeds the stream now, whatever fed it before a reload', async () => {
    const { clock, store, windows } = start();
    const stream = { batchId: 'a', index: 'time' } as const;
    const own = windows.openStream({ ...stream, pace: 'own' });
    own.emit({ kind: 'resumed', at: 0 });
    say(own, 5);
    const live = windows.openStream({ ...stream, pace: 'live' });
    live.emit({ kind: 'resumed', at: 100 });
    expect(live.emit({ kind: 'observed', until: 7_200_000 })).toBe(false);
    live.emit({ kind: 'resumed', at: 200 });
    say(live, 300);
    const queued = windows.openStream({ ...stream, pace: { silenceMs: 60_000 } });
    queued.emit({ kind: 'resumed', at: 1000 });
    expect(queued.emit({ kind: 'observed', until: 60_000 })).toBe(true);
    void windows.closeAll();
    await clock.advance(200);
    expect(store.windows).toEqual(['a 0-6 1 lane', 'a 200-301 1 lane', 'a 1000-60000 0 lane']);
  });

  it('leave out what a clock of equipment may have come by that is behind the gateway, which fed the stream before', async () => {
    const { clock, store, windows } = start();
    const stream = { batchId: 'a', index: 'time' } as const;
    const own = windows.openStream({ ...stream, pace: 'own' });
    own.emit({ kind: 'resumed', at: 0 });
    own.emit({ kind: 'observed', until: 10_000 });
    const live = windows.openStream({ ...stream, pace: 'live' });
    live.emit({ kind: 'resumed', at: 5000 });
    live.emit({ kind: 'observed', until: 12_500 });
    void windows.closeAll();
    await clock.advance(200);
    expect(store.windows).toEqual(['a 0-10000 0 lane', 'a 12001-12500 0 lane']);
  });

  it('forget the number of the last sample once other equipment feeds the stream', async () => {
    const { clock, store, windows } = start();
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    sink.emit({ kind: 'observed', until: 10, number: 7 });
    await clock.advance(3000);
    const other = windows.openStream({ batchId: 'a', index: 'time' });
    windows.changeEquipment('a');
    expect(windows.known('a')).toMatchObject({ continuity: 'lost' });
    expect(windows.known('a')?.number).toBeUndefined();
    other.emit({ kind: 'resumed', at: 20 });
    await clock.advance(3000);
    expect(store.commits.flat().map(({ number }) => number)).toEqual([7, null]);
  });

  it('start above what an earlier run claimed', async () => {
    const store = new FakeStore();
    store.floor = 100;
    const { clock, windows } = start({}, store);
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 50 });
    sink.emit({ kind: 'observed', until: 120 });
    void windows.closeStream('a');
    await clock.advance(200);
    expect(store.windows).toEqual(['a 101-120 0 lane']);
    expect(windows.streams()).toEqual([]);
  });

  it('go to the archive unsent while told to skip', async () => {
    const { clock, store, windows } = start();
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    windows.skipNext('a', 1);
    sink.emit({ kind: 'resumed', at: 0 });
    for (let n = 0; n < 3; n++) {
      say(sink, n);
      await clock.advance(10_400);
    }
    expect(store.windows).toEqual(['a 0-1 1 archive', 'a 1-2 1 lane', 'a 2-3 1 lane']);
  });

  it('say how they stand', async () => {
    const { windows } = start();
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 3 });
    say(sink, 5);
    expect(windows.streams()).toEqual([
      {
        batchId: 'a',
        index: 'time',
        observing: true,
        open: { start: 3, end: 6 },
        openReadings: 1,
        readings: 1,
        late: 0,
        violations: 0,
        refused: 0,
        dropped: 0,
      },
    ]);
  });
});

describe('holding', () => {
  it('leaves a hole in the streams that it names, and in no other', async () => {
    const { clock, store, windows } = start();
    const [a, b] = ['a', 'b'].map((batchId) => windows.openStream({ batchId, index: 'time' }));
    const both = (index: number) => {
      say(a!, index);
      say(b!, index);
    };
    for (const sink of [a!, b!]) sink.emit({ kind: 'resumed', at: 0 });
    both(1);
    windows.pause((batchId) => batchId === 'a');
    for (let n = 2; n < 50; n++) both(n);
    windows.pause(undefined);
    both(50);
    void windows.closeAll();
    await clock.advance(200);
    // The reading at 1 was complete when the hold began.
    expect(store.windows).toEqual(['a 0-2 1 lane', 'a 50-51 1 lane', 'b 0-51 50 lane']);
    expect(windows.streams().map(({ dropped }) => dropped)).toEqual([48, 0]);
  });
});

describe('memory', () => {
  it('is bounded while the disk refuses: later events become a hole, and all goes on afterwards', async () => {
    const { clock, store, windows } = start({ maxMemoryBytes: 20_000, maxBytes: 2000 });
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    const disk = gate();
    store.hold = disk.hold;
    for (let n = 0; n < 5000; n++) {
      say(sink, n);
      if (n % 100 === 0) await clock.advance(10);
    }
    expect(windows.memoryBytes()).toBeLessThan(25_000);
    store.hold = undefined;
    disk.open();
    await clock.advance(1000);
    say(sink, 6000);
    await clock.advance(200);
    void windows.closeAll();
    await clock.advance(200);
    const claimed = store.commits.flat().flatMap(({ closed }) => closed.map(({ batch }) => batch));
    const kept = claimed.flatMap(({ readings }) => readings.map(({ index }) => index));
    for (const { window } of claimed) {
      for (let n = window.start; n < Math.min(window.end, 5000); n++) expect(kept).toContain(n);
    }
    expect(kept).toContain(6000);
    expect(windows.streams()[0]!.dropped).toBeGreaterThan(1000);
    expect(windows.memoryBytes()).toBe(0);
  });
});

describe('room', () => {
  it('is told of: none while the stream is held back, or memory is full of what the disk does not take', async () => {
    const { clock, store, windows } = start({ maxMemoryBytes: 2000 });
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    expect(sink.hasRoom?.()).toBe(true);
    windows.pause((batchId) => batchId === 'a');
    expect(sink.hasRoom?.()).toBe(false);
    windows.pause(undefined);
    const disk = gate();
    store.hold = disk.hold;
    for (let n = 0; n < 100 && sink.hasRoom?.(); n++) {
      say(sink, n);
      await clock.advance(200);
    }
    expect(sink.hasRoom?.()).toBe(false);
    expect(windows.streams()[0]).toMatchObject({ dropped: 0 });
  });
});
