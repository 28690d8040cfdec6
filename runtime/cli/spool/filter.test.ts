import { describe, expect, it } from 'vitest';
import type { IndexKind } from '../../../wire/window.ts';
import { parseFilter, wantsIndex, wantsWindow } from './filter.ts';

const known = new Map<string, IndexKind>([
  ['press', 'time'],
  ['log', 'sequence'],
]);
const at = (text: string) => Date.parse(text);

describe('a filter', () => {
  it('wants everything when nothing is asked', () => {
    const filter = parseFilter({}, known);
    expect(wantsWindow(filter, 'press', 'time', { start: 0, end: 1 })).toBe(true);
    expect(wantsWindow(filter, 'log', 'sequence', { start: -5, end: 9e15 })).toBe(true);
  });

  it('takes half-open ranges: from is included, to is not', () => {
    const filter = parseFilter({ stream: 'log', from: '10', to: '20' }, known);
    expect([9, 10, 19, 20].map((index) => wantsIndex(filter, 'sequence', index))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(wantsWindow(filter, 'log', 'sequence', { start: 0, end: 10 })).toBe(false);
    expect(wantsWindow(filter, 'log', 'sequence', { start: 0, end: 11 })).toBe(true);
    expect(wantsWindow(filter, 'log', 'sequence', { start: 20, end: 30 })).toBe(false);
    expect(wantsWindow(filter, 'other', 'sequence', { start: 12, end: 13 })).toBe(false);
  });

  it('reads ISO times with any offset, dates alone as midnight UTC, and epoch milliseconds', () => {
    const times: [string, string][] = [
      ['2026-11-21', '2026-11-21T00:00:00Z'],
      ['2026-11-21T22:20:00+02:00', '2026-11-21T20:20:00Z'],
      ['2026-11-21 22:20', '2026-11-21T22:20:00Z'],
      [String(at('2026-11-21T22:20:00Z')), '2026-11-21T22:20:00Z'],
    ];
    for (const [text, meant] of times) {
      const filter = parseFilter({ stream: 'press', from: text }, known);
      expect(filter.range.time, text).toEqual({ start: at(meant), end: Number.POSITIVE_INFINITY });
    }
  });

  it('leaves out record-number streams when a time is asked for', () => {
    const filter = parseFilter({ from: '2026-11-21' }, known);
    expect(wantsWindow(filter, 'log', 'sequence', { start: 0, end: 9e15 })).toBe(false);
  });

  it.each([
    [{ stream: 'pres' }, /no stream 'pres'; it knows press, log/],
    [{ lane: 'live' }, /--lane: 'live' is none of unsent, .*live and backlog are both unsent/],
    [{ from: 'yesterday' }, /--from: 'yesterday' .* write UTC as 2026-/],
    [{ to: '2026-02-30' }, /--to: '2026-02-30'/],
    [{ stream: 'log', from: '2026-11-21' }, /--from: .* write a whole number/],
    [{ from: '20', to: '10' }, /20 is not before 10/],
    [{ from: '10', to: '10' }, /not before/],
  ])('says what to write instead of %o', (options, message) => {
    expect(() => parseFilter(options, known)).toThrow(message);
    expect(() => parseFilter(options, known)).toThrow(
      expect.objectContaining({ code: 'spool-bad-arguments' }),
    );
  });
});
