import { describe, expect, it } from 'vitest';
import {
  counted,
  formatBytes,
  formatCount,
  formatDuration,
  formatPlace,
  printable,
  tableLines,
} from './spool-text.ts';

describe('text for people', () => {
  it('has sizes of three digits', () => {
    const sizes: [number, string][] = [
      [0, '0 B'],
      [999, '999 B'],
      [1000, '1.00 kB'],
      [8_086_921, '8.09 MB'],
      [999_499, '999 kB'],
      [999_600, '1.00 MB'],
      [3.2e12, '3.20 TB'],
      [4e16, '4.00e+4 TB'],
    ];
    for (const [bytes, text] of sizes) expect(formatBytes(bytes)).toBe(text);
  });

  it('has durations of two units', () => {
    const durations: [number, string][] = [
      [-5, '0 ms'],
      [40, '40 ms'],
      [12_560, '12.5 s'],
      [59_999, '59.9 s'],
      [60_000, '1 min'],
      [3_599_000, '59 min 59 s'],
      [7_260_000, '2 h 1 min'],
      [187_200_000, '2 d 4 h'],
    ];
    for (const [ms, text] of durations) expect(formatDuration(ms)).toBe(text);
  });

  it('has counts in groups, times in ISO, record numbers as they are', () => {
    expect([0, 999, 1000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
    expect(formatPlace('time', 0)).toBe('1970-01-01T00:00:00.000Z');
    expect(formatPlace('sequence', 1_000_000)).toBe('1000000');
    // A damaged record may state any number.
    expect(formatPlace('time', 9e15)).toBe('9000000000000000');
    expect(formatPlace('time', Number.NaN)).toBe('NaN');
  });

  it('keeps control characters away from the terminal', () => {
    expect(printable('a\u001b[2Jb\nc\u0085d')).toBe('a?[2Jb?c?d');
  });
});

describe('a table', () => {
  const columns = [{ title: 'ID', right: true }, { title: 'STREAM' }, { title: 'BYTES', right: true }];

  it('is aligned, without blanks at the ends of lines', () => {
    const rows = [
      ['1', 'press', '12 kB'],
      ['200', 'x', '5 B'],
    ];
    expect([...tableLines(columns, rows)]).toEqual([
      ' ID  STREAM  BYTES',
      '  1  press   12 kB',
      '200  x         5 B',
    ]);
    expect([...tableLines(columns, [])]).toEqual(['ID  STREAM  BYTES']);
  });

  it('passes rows on as they come: it reads a bounded number ahead', () => {
    let read = 0;
    function* rows() {
      for (;;) yield [String(++read), 'press', '1 B'];
    }
    const lines = tableLines(columns, rows());
    for (let n = 0; n < 1000; n++) lines.next();
    expect(read).toBeLessThan(1010);
    lines.return(undefined);
  });
});

it('counts have their word in the singular or the plural', () => {
  const all = [1, 0, 1200].flatMap((count) => ['notes', 'entries'].map((word) => counted(count, word)));
  expect(all).toEqual(['1 note', '1 entry', '0 notes', '0 entries', '1,200 notes', '1,200 entries']);
});
