import { describe, expect, it } from 'vitest';
import type { Reading } from '../../wire/reading.ts';
import { createLastValues } from './last-values.ts';

const reading = (tag: string, value: number): Reading => ({ index: value, tag, value, quality: 'good' });

describe('last values', () => {
  it('are those that came last, by tag, as it was first heard of', () => {
    const values = createLastValues();
    values.take([reading('a', 1), reading('b', 2)]);
    values.take([reading('b', 3), reading('c', 4)]);
    expect(values.list()).toEqual([reading('a', 1), reading('b', 3), reading('c', 4)]);
  });

  it('keep neither the reading that came, nor a list that was given out', () => {
    const values = createLastValues();
    const first = reading('a', 1);
    values.take([first]);
    const list = values.list();
    values.take([reading('a', 2)]);
    expect(first).toEqual(reading('a', 1));
    expect(list).toEqual([reading('a', 1)]);
  });

  it('of a source with more tags than are shown, are those of the first ones', () => {
    const values = createLastValues();
    values.take(Array.from({ length: 10_001 }, (_, n) => reading(`tag-${n}`, n)));
    values.take([reading('tag-10000', 7), reading('tag-0', 7)]);
    const list = values.list();
    expect(list).toHaveLength(10_000);
    expect(list[0]).toEqual(reading('tag-0', 7));
  });
});
