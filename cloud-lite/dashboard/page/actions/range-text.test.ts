import { describe, expect, test } from 'vitest';
import { boundText, parseBound } from './range-text.ts';

describe('a bound', () => {
  test.each(['UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kolkata'])(
    'is read as it was written: %s',
    (zone) => {
      for (const at of [
        Date.UTC(2026, 0, 1, 0, 0, 0, 7),
        Date.UTC(2026, 6, 15, 23, 59, 59, 999),
        951_782_400_000,
      ]) {
        expect(parseBound('time', boundText('time', at, zone), zone)).toBe(at);
      }
    },
  );

  test.each([
    ['2026-07-01 12:00', Date.UTC(2026, 6, 1, 10)],
    ['2026-07-01T12:00:30Z', Date.UTC(2026, 6, 1, 12, 0, 30)],
    ['2026-07-01', undefined],
    ['2026-13-01 12:00', undefined],
    ['yesterday', undefined],
  ])('%s in Berlin', (text, at) => expect(parseBound('time', text, 'Europe/Berlin')).toBe(at));

  test.each([
    ['1200', 1200],
    [' -5 ', -5],
    ['1.5', undefined],
    ['', undefined],
    ['99999999999999999999', undefined],
  ])('record %s', (text, n) => expect(parseBound('sequence', text, 'UTC')).toBe(n));
});
