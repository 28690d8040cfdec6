import { describe, expect, test } from 'vitest';
import { type CloudMessage, createCloudCopy, sameValue, voidCoverage } from './cloud-copy.ts';

const reading = (index: number, value: number, tag = 'a') => ({
  index,
  tag,
  value,
  quality: 'good' as const,
});

function batch(start: number, end: number, readings: ReturnType<typeof reading>[], more: object = {}) {
  return {
    messageId: `press/${start}-${end}`,
    batchId: 'press',
    index: 'time',
    window: { start, end },
    isBackfill: false,
    content: { kind: 'batch', readings, count: readings.length, ...more },
  } satisfies CloudMessage;
}

function copyOf(...messages: CloudMessage[]) {
  const copy = createCloudCopy();
  for (const message of messages) copy.take(message);
  return copy.streams().get('press')!;
}

describe('a copy of the cloud', () => {
  test('holds every reading and what is covered', () => {
    const copy = copyOf(
      batch(0, 10, [reading(3, 1.5)]),
      batch(10, 20, [reading(10, 2), reading(10, 7, 'b')]),
    );
    expect(copy.covered).toEqual([{ start: 0, end: 20 }]);
    expect(copy.readings.get(10)?.get('b')).toEqual({ value: 7, times: 1, others: [] });
    expect(copy).toMatchObject({ messages: 2, repeatedMessages: 0, misplaced: 0, miscounted: 0 });
  });

  test('recognises a repetition, message by message and reading by reading', () => {
    const once = batch(0, 10, [reading(3, 1.5)]);
    const copy = copyOf(once, once, { ...once, messageId: `${once.messageId}/b`, isBackfill: true });
    expect(copy.readings.get(3)?.get('a')).toEqual({ value: 1.5, times: 3, others: [] });
    expect(copy).toMatchObject({ messages: 3, repeatedMessages: 1, backfillMessages: 1 });
  });

  test('tells what a repair brought from what had come before', () => {
    const repair = { ...batch(5, 20, []), isBackfill: true };
    expect(copyOf(batch(0, 10, []), repair, batch(15, 30, [])).repaired).toEqual([{ start: 10, end: 20 }]);
  });

  test('keeps a value that contradicts an earlier one', () => {
    const copy = copyOf(batch(0, 10, [reading(3, 1.5)]), batch(0, 10, [reading(3, 1.25)]));
    expect(copy.readings.get(3)?.get('a')).toEqual({ value: 1.5, times: 1, others: [1.25] });
  });

  test('covers a window only when all of its parts have come', () => {
    const parts = [1, 2, 3].map((k) => batch(0, 10, [reading(k, k)], { part: { k, n: 3 } }));
    expect(copyOf(parts[0]!, parts[2]!, parts[0]!).covered).toEqual([]);
    expect(copyOf(parts[2]!, parts[0]!, parts[1]!).covered).toEqual([{ start: 0, end: 10 }]);
  });

  test('keeps voids apart from what is covered', () => {
    const gone: CloudMessage = { ...batch(5, 9, []), content: { kind: 'void', reason: 'no-history' } };
    const copy = copyOf(gone, { ...gone, window: { start: 9, end: 12 } });
    expect(copy.covered).toEqual([]);
    expect(voidCoverage(copy)).toEqual([{ start: 5, end: 12 }]);
  });

  test('counts readings outside their window, and messages that carry another count than they say', () => {
    const copy = copyOf(batch(0, 10, [reading(10, 1), reading(-1, 1), reading(9, 1)], { count: 4 }));
    expect(copy).toMatchObject({ misplaced: 2, miscounted: 1 });
  });
});

test('values are the same bit for bit, and by type', () => {
  expect(sameValue(0.1 + 0.2, 0.3)).toBe(false);
  expect(sameValue(1, true)).toBe(false);
  expect(sameValue('1', 1)).toBe(false);
  expect(sameValue(0, -0)).toBe(false);
  expect(sameValue(null, undefined)).toBe(false);
  expect(sameValue([1, { a: 2 }], [1, { a: 2 }])).toBe(true);
  expect(sameValue([1], [2])).toBe(false);
});
