import { describe, expect, it } from 'vitest';
import { Observation } from '../sources/observation.ts';
import { ReportFilter } from '../sources/report-filter.ts';
import type { SourceEvent } from '../sources/source.ts';
import { RecordingSink } from '../sources/testing/recording-sink.ts';
import { StampingSink } from './stamping-sink.ts';
import type { Offset } from './stream-scale.ts';

const readings = (...indices: number[]): SourceEvent => ({
  kind: 'readings',
  readings: indices.map((index) => ({ index, tag: 'v', value: index, quality: 'good' })),
});
const observed = (until: number): SourceEvent => ({ kind: 'observed', until });
const right = (offsetMs: number): Offset => ({ offsetMs, marked: false });

function make(more: { floor?: number; room?: () => boolean } = {}) {
  const inner = new RecordingSink();
  const kept: SourceEvent[] = [];
  const refused: number[] = [];
  const sink = new StampingSink({
    batchId: 'a',
    inner,
    offset: right(1000),
    slewMs: 100,
    floor: more.floor,
    check: () => {},
    keep: (event) => {
      if (event.kind === 'readings' && more.room?.() === false) return false;
      kept.push(event);
      return true;
    },
    kept: async () => {},
    onRefused: (count) => refused.push(count),
  });
  const release = (offset: Offset) => {
    sink.beginPlacing(offset, undefined);
    for (const event of kept.splice(0)) sink.placeKept(event);
    sink.endWaiting();
  };
  return { sink, inner, kept, refused, release };
}

describe('a sink that stamps', () => {
  it('keeps readings of one local time together, and others apart', () => {
    const { sink, inner } = make({ floor: 1_000_000 });
    sink.emit({ kind: 'resumed', at: 5 });
    sink.emit(readings(5, 5, 6));
    sink.emit(readings(6, 9));
    sink.emit(observed(10));
    expect(inner.readings.map(({ index }) => index)).toEqual([
      1_000_001, 1_000_001, 1_000_002, 1_000_002, 1_000_003,
    ]);
    expect(inner.of('observed')).toEqual([observed(1_000_004)]);
    expect(inner.breaches()).toEqual([]);
  });

  it('never takes back how far observation reached, whatever is stated', () => {
    const { sink, inner } = make();
    sink.emit({ kind: 'resumed', at: 0 });
    sink.emit(observed(50));
    sink.rescale(right(950), undefined);
    // 90 is now 1040, below what was stated.
    sink.emit(observed(90));
    sink.emit(readings(90));
    sink.emit(observed(91));
    sink.emit(observed(300));
    expect(inner.of('observed').map(({ until }) => until)).toEqual([1050, 1050, 1051, 1250]);
    expect(inner.breaches()).toEqual([]);
  });

  it('does not move an end that is stated again after the clock was slewed ahead', () => {
    const { sink, inner } = make();
    sink.emit({ kind: 'resumed', at: 0 });
    sink.emit(observed(50));
    sink.rescale(right(2500), undefined);
    sink.emit(observed(50));
    sink.emit(observed(50));
    // Later ones go by the new offset.
    sink.emit(observed(60));
    sink.emit(observed(60));
    expect(inner.of('observed').map(({ until }) => until)).toEqual([1050, 1050, 1050, 2560, 2560]);
    expect(inner.breaches()).toEqual([]);
  });

  it('has a source that reports by exception give all values behind the hole of a clock that was set ahead', () => {
    const { sink, inner } = make();
    const observation = new Observation(sink, { filter: new ReportFilter([{ name: 'v', deadband: 1 }]) });
    const report = (at: number) =>
      observation.report(at, [{ index: at, tag: 'v', value: 7, quality: 'good' }], { now: at });
    for (const at of [0, 10, 20]) report(at);
    expect(inner.readings.map(({ index }) => index)).toEqual([1000]);
    sink.rescale(right(900_000), 'clock-stepped-forward');
    for (const at of [30, 40]) report(at);
    expect(inner.readings.map(({ index }) => index)).toEqual([1000, 900_030]);
    // Set back, it goes on without a hole.
    sink.rescale(right(1000), 'clock-stepped-back');
    for (const at of [50, 60]) report(at);
    expect(inner.readings).toHaveLength(2);
    // What waits for the clock may be placed behind a hole.
    sink.wait('clock-not-trusted');
    expect(sink.begunAnew()).toBe(2);
    expect(inner.breaches()).toEqual([]);
  });

  it('marks what is good, and leaves worse as it is', () => {
    const { sink, inner } = make();
    sink.rescale({ offsetMs: 0, marked: true }, undefined);
    const qualities = ['good', 'uncertain', 'bad:no-answer'] as const;
    sink.emit({ kind: 'resumed', at: 0 });
    const all = qualities.map((quality) => ({ index: 1, tag: 'v', value: 1, quality }));
    sink.emit({ kind: 'readings', readings: all });
    expect(inner.readings.map(({ quality }) => quality)).toEqual([
      'uncertain:clock',
      'uncertain',
      'bad:no-answer',
    ]);
  });

  it('claims nothing of what it refused, not even the last position', () => {
    let room = true;
    const { sink, inner, refused, release } = make({ room: () => room });
    sink.wait('clock-not-trusted');
    sink.emit({ kind: 'resumed', at: 0 });
    sink.emit(readings(1));
    sink.emit(observed(2));
    room = false;
    sink.emit(readings(5));
    // The clock comes right before the source has begun again.
    expect(sink.emit(observed(6))).toBe(false);
    release(right(1000));
    sink.emit({ kind: 'resumed', at: 7 });
    sink.emit(readings(7));
    expect(refused).toEqual([1]);
    expect(inner.events).toEqual([
      { kind: 'resumed', at: 1000 },
      { kind: 'readings', readings: [expect.objectContaining({ index: 1001 })] },
      observed(1002),
      { kind: 'broken', at: 1002, reason: 'clock-journal-full' },
      { kind: 'resumed', at: 1007 },
      { kind: 'readings', readings: [expect.objectContaining({ index: 1007 })] },
    ]);
    expect(inner.breaches()).toEqual([]);
  });
});
