import { describe, expect, it } from 'vitest';
import type { Reading } from '../../wire/reading.ts';
import { OpenWindow } from './open-window.ts';

const reading = (index: number, tag: string): Reading => ({ index, tag, value: index, quality: 'good' });

function openWindow(): OpenWindow {
  return new OpenWindow({ start: 0, ceiling: 1000, since: 0, stated: 0, position: -1 });
}

describe('an open window', () => {
  it('what the journal was given stays as it was, whatever comes before it is written', () => {
    const window = openWindow();
    window.push(reading(1, 'a'), 10);
    window.push(reading(1, 'b'), 10);
    window.until = 2;
    const first = window.takeAppend();
    window.push(reading(1, 'c'), 10);
    window.push(reading(3, 'a'), 10);
    window.until = 4;
    const second = window.takeAppend();
    expect(first).toMatchObject({ start: 0, end: 2 });
    expect(first?.readings).toEqual([reading(1, 'a'), reading(1, 'b')]);
    expect(second?.readings).toEqual([reading(1, 'c'), reading(3, 'a')]);
    expect(window.takeAppend()).toBeUndefined();
  });

  it.each([
    ['in order', [1, 2, 2, 5]],
    ['out of order', [5, 2, 1, 2]],
  ])('is split between positions, its readings having come %s', (_, indexes) => {
    const window = openWindow();
    for (const index of indexes) window.push(reading(index, 'a'), 10);
    const below = (end: number) =>
      window
        .splitAt(end)
        .readings()
        .map(({ index }) => index);
    const rest = (end: number) => window.splitAt(end).rest.map(({ reading: { index } }) => index);
    expect([below(1), rest(1)]).toEqual([[], [1, 2, 2, 5]]);
    expect([below(2), rest(2)]).toEqual([[1], [2, 2, 5]]);
    expect([below(5), rest(5)]).toEqual([[1, 2, 2], [5]]);
    expect([below(6), rest(6)]).toEqual([[1, 2, 2, 5], []]);
  });
});
