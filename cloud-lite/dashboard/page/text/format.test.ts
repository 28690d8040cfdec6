import { describe, expect, test } from 'vitest';
import {
  agoText,
  countText,
  durationText,
  isUtc,
  lengthText,
  momentText,
  rangeText,
  shareText,
  timeText,
} from './format.ts';

const at = Date.UTC(2026, 10, 21, 22, 20, 0, 7);

describe('figures', () => {
  test.each([
    [1, '100 %'],
    [0.999999, '99.99 %'],
    [0.9, '90.00 %'],
    [0.5, '50.0 %'],
    [0, '0.0 %'],
    [null, '–'],
  ])('a share of %s is %s: never rounded up', (share, text) => expect(shareText(share)).toBe(text));

  test.each([
    [7, '7 ms'],
    [4200, '4.2 s'],
    [60_000, '1 min'],
    [725_000, '12 min 5 s'],
    [3_600_000, '1 h'],
    [277_200_000, '3 d 5 h'],
    [-5, '0 ms'],
  ])('%d ms is %s', (ms, text) => expect(durationText(ms)).toBe(text));

  test.each([
    [0, 'now'],
    [12_900, '12 s ago'],
    [7_300_000, '2 h ago'],
  ])('%d ms old is %s', (ms, text) => expect(agoText(ms)).toBe(text));

  test('large counts are short', () => {
    expect(countText(99_999)).toBe('99,999');
    expect(countText(1_234_567)).toBe('1.2M');
  });
});

describe('times', () => {
  test('are of the zone that is asked for', () => {
    expect(timeText(at, { zone: 'UTC', date: true, ms: true })).toBe('2026-11-21 22:20:00.007');
    expect(timeText(at, { zone: 'Asia/Tokyo', date: true })).toBe('2026-11-22 07:20:00');
  });

  test('are UTC under any name of it', () => {
    expect(['UTC', 'Etc/UTC', 'GMT', 'Etc/Zulu'].every(isUtc)).toBe(true);
    expect(['Europe/London', 'Etc/GMT+1', 'Africa/Abidjan'].some(isUtc)).toBe(false);
  });

  test('carry their date on other days only', () => {
    expect(momentText(at, at + 3_600_000, 'UTC')).toBe('22:20:00');
    expect(momentText(at, at + 86_400_000, 'UTC')).toBe('2026-11-21 22:20:00');
  });

  test('a range says its date once', () => {
    expect(rangeText('time', at, at + 1000, 'UTC')).toBe('2026-11-21 22:20:00.007 – 22:20:01.007');
    expect(rangeText('time', at, at + 86_400_000, 'UTC')).toBe(
      '2026-11-21 22:20:00.007 – 2026-11-22 22:20:00.007',
    );
    expect(rangeText('time', at - 7, at + 993, 'UTC')).toBe('2026-11-21 22:20:00 – 22:20:01');
    expect(rangeText('sequence', 1000, 2000, 'UTC')).toBe('1,000 – 2,000');
    expect(lengthText('sequence', 1)).toBe('1 record');
  });
});
