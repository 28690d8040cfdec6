import { describe, expect, test } from 'vitest';
import { soundEvents } from './sound-event.ts';

const noon = Date.UTC(2026, 10, 21, 12);
const event = (sequenceNumber: unknown) => ({
  sequenceNumber,
  enqueuedAt: noon,
  properties: {},
  annotations: {},
});

describe('the number of an event', () => {
  test.each<[string, readonly unknown[], number, readonly number[], number]>([
    ['what it says', [5, 6, 7], 4, [5, 6, 7], 0],
    ['what it says behind what retention removed', [5000, 5001], 4, [5000, 5001], 0],
    ['what it says where it comes again', [2, 3, 4, 5], 4, [2, 3, 4, 5], 0],
    ['what it says behind a hole that goes on', [5, 90, 91], 4, [5, 90, 91], 0],
    ['that of its place where it has none', [undefined, 6, '7', 8], 4, [5, 6, 7, 8], 2],
    ['that of its place where it comes again and has none', [Number.NaN, 3, 4], 4, [2, 3, 4], 1],
    ['that of its place where it goes back', [5, 1, 7], 4, [5, 6, 7], 1],
    [
      'that of its place where it leaps, and nothing goes on from there',
      [5, 2 ** 40, 7, 2 ** 40],
      4,
      [5, 6, 7, 8],
      2,
    ],
    ['that of its place where the first leaps', [900, 6, 7], 4, [5, 6, 7], 1],
    ['that of its place where it comes again and leaps', [900, 5, 6], 4, [4, 5, 6], 1],
    ['that of its place where the first leaps, and two go on', [900, 2, 3], 0, [1, 2, 3], 1],
    ['that of its place where the first leaps behind what retention removed', [900, 8], -1, [7, 8], 1],
    ['that of its place where the second leaps behind what retention removed', [7, 900], -1, [7, 8], 1],
    ['what it says where the second is wrong and the third goes on', [90, 12, 92], 4, [90, 91, 92], 1],
    ['what it says behind one whose number was wrong', [900, 6, 7], 900, [900, 6, 7], 0],
    ['that of its place where it alone leaps too far', [2 ** 53 - 1], 4, [5], 1],
    ['the first of all', [undefined], -1, [0], 1],
  ])('is %s', (_, said, after, numbers, odd) => {
    const events = soundEvents(said.map(event), after);
    expect(events.map(({ sequenceNumber }) => sequenceNumber)).toEqual(numbers);
    expect(events.filter(({ problem }) => problem !== undefined)).toHaveLength(odd);
  });

  test('and what is wrong with an event stay as they are when it is looked at again', () => {
    const once = soundEvents([event(5), { ...event('six'), enqueuedAt: null }], 4);
    expect(soundEvents(once, 100)).toEqual(once);
    expect(once[1]!.problem).toContain('sequence number');
  });
});
