import { describe, expect, it } from 'vitest';
import type { Reading } from '../../wire/reading.ts';
import { Continuation } from './continuation.ts';
import { Observation } from './observation.ts';
import { ReportFilter } from './report-filter.ts';
import { RecordingSink } from './testing/recording-sink.ts';

const values = (index: number, ...each: number[]): Reading[] =>
  each.map((value, n) => ({ index, tag: `t${n}`, value, quality: 'good' }));

function make(deadband?: number) {
  const sink = new RecordingSink();
  const filter = new ReportFilter([
    { name: 't0', deadband },
    { name: 't1', deadband },
  ]);
  return { sink, observation: new Observation(sink, { filter }) };
}

describe('the tracker of what a source stated', () => {
  it('begins with the first report, and again after a loss', () => {
    const { sink, observation } = make();
    observation.lose('poll-failed');
    observation.report(10, values(10, 1), { now: 0 });
    observation.lose('poll-failed');
    observation.report(30, values(30, 1), { now: 0 });
    expect(sink.kinds()).toEqual([
      'resumed',
      'readings',
      'observed',
      'broken',
      'resumed',
      'readings',
      'observed',
    ]);
    expect(sink.breaches()).toEqual([]);
  });

  it('remembers a loss that was noticed before observation began', () => {
    const { sink, observation } = make();
    observation.lose('queue-overflow', { upTo: 50 });
    expect(observation.begin(10)).toBe(50);
    observation.observe(60);
    observation.lose('queue-overflow', { at: 55, upTo: 80 });
    expect(observation.begin(61)).toBe(80);
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: 55, reason: 'queue-overflow' }]);
  });

  it('never breaks off below where it began', () => {
    const { sink, observation } = make();
    observation.begin(100);
    observation.lose('messages-missed', { at: 20 });
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: 100, reason: 'messages-missed' }]);
  });

  it('passes on a proof that it went on, unless something is known to be missing', () => {
    const { sink, observation } = make();
    const next = Continuation.nextNumber(4, 5);
    observation.begin(10, next);
    observation.lose('gone', { upTo: 20 });
    observation.begin(11, next);
    expect(sink.of('resumed')).toEqual([
      { kind: 'resumed', at: 10, continues: next },
      { kind: 'resumed', at: 20 },
    ]);
  });

  it('reports everything anew once observation was broken, by the source or by its sink', () => {
    const { sink, observation } = make(5);
    const report = (index: number) => observation.report(index, values(index, 1, 2), { now: index });
    const told = () => sink.readings.length;
    report(1);
    report(2);
    expect(told()).toBe(2);
    observation.lose('poll-failed');
    report(3);
    expect(told()).toBe(4);
    sink.refuse(1);
    report(4);
    expect(observation.isBroken).toBe(true);
    report(5);
    expect(told()).toBe(6);
    expect(sink.breaches()).toEqual([]);
  });
});

describe('a proof that observation went on', () => {
  it('is the next number, and no other', () => {
    expect(Continuation.nextNumber(4, 5)?.because).toBe('next-number');
    expect(Continuation.nextNumber(255, 0, 256)?.because).toBe('next-number');
    for (const [last, next] of [
      [4, 4],
      [4, 6],
      [4, 3],
      [undefined, 5],
    ] as const)
      expect(Continuation.nextNumber(last, next)).toBeUndefined();
  });

  it("is a queue that keeps what is sent, within the sender's silence", () => {
    const kept = (lastIndex: number | undefined, index: number) =>
      Continuation.keptUpstream({ lastIndex, index, silenceMs: 1000, latenessMs: 20 })?.because;
    expect(kept(100, 1099)).toBe('kept-upstream');
    expect(kept(100, 1100)).toBeUndefined();
    expect(kept(100, 80)).toBe('kept-upstream');
    expect(kept(100, 79)).toBeUndefined();
    expect(kept(undefined, 100)).toBeUndefined();
  });
});
