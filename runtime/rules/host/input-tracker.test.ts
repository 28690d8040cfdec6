import { expect, it } from 'vitest';
import type { Reading } from '../../../wire/reading.ts';
import type { StreamChange } from '../../windows/window-store.ts';
import { InputTracker } from './input-tracker.ts';

const reading = (index: number, value = index): Reading => ({ index, tag: 'v', value, quality: 'good' });
const late = (...readings: Reading[]): StreamChange['closed'][number] => ({
  batch: { batchId: 'a', index: 'time', window: { start: 0, end: 1 }, readings },
  ...{ late: true, to: 'lane', plainBytes: 1 },
});
const change = (more: Partial<StreamChange>): StreamChange => ({
  ...{ batchId: 'a', index: 'time', closed: [], restart: false, ...more },
});
const append = (start: number, end: number, ...readings: Reading[]) => ({ append: { start, end, readings } });

it('a stretch has what its window holds, and what was sent ahead of it; what came late to a stretch it never has', () => {
  const tracker = new InputTracker();
  expect(tracker.take(change(append(0, 10, reading(3))))).toMatchObject([
    { start: 0, end: 10, readings: [reading(3)] },
  ]);
  tracker.take(change({ closed: [late(reading(5), reading(12), reading(14, 99))] }));
  const [span] = tracker.take(change({ restart: true, ...append(10, 20, reading(14), reading(16)) }));
  expect(span).toEqual({
    start: 10,
    end: 20,
    follows: 'touching',
    readings: [reading(12), reading(14), reading(16)],
  });
});

it('more than it keeps is a hole, as far as that reaches and no farther; what lies nearest is kept', () => {
  const tracker = new InputTracker();
  tracker.take(change(append(0, 10)));
  const far = Array.from({ length: 30_000 }, (_, n) => reading(1_000_000 + n));
  tracker.take(change({ closed: [late(reading(12), ...far)] }));
  expect(tracker.take(change({ restart: true, ...append(10, 20) }))).toMatchObject([
    { start: 10, end: 20, follows: 'touching', readings: [reading(12)] },
  ]);
  expect(tracker.take(change(append(20, 1_100_000)))).toMatchObject([
    { start: 1_030_000, end: 1_100_000, follows: 'hole' },
  ]);
  expect(tracker.take(change(append(1_100_000, 1_100_010)))).toMatchObject([{ follows: 'touching' }]);
});

it('one that begins amid a window knows nothing of it, and the next in whole', () => {
  const tracker = InputTracker.amid();
  expect(tracker.take(change(append(0, 10, reading(9))))).toEqual([]);
  expect(tracker.take(change({ restart: true, ...append(12, 20, reading(13)) }))).toMatchObject([
    { start: 12, end: 20, readings: [reading(13)] },
  ]);
});
