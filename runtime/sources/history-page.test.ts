import { describe, expect, it } from 'vitest';
import type { Reading } from '../../wire/reading.ts';
import { CompletePage, GonePage } from './history-page.ts';

const reading = (index: number): Reading => ({ index, tag: 'v', value: index, quality: 'good' });
const window = { start: 10, end: 20 };
const evidence = { asked: { start: 0, end: 30 }, ended: 'end-mark', heldFrom: 5, recordedTo: 25 } as const;

describe('a page of history', () => {
  it('claims what its evidence carries', () => {
    const page = CompletePage.of(window, [reading(10), reading(10), reading(19)], evidence);
    expect(page).toMatchObject({ kind: 'readings', window });
    expect(page.evidence).toBe(evidence);
    expect(GonePage.of(window, { reason: 'history-expired', heldFrom: 20 })).toMatchObject({
      kind: 'unavailable',
      window,
      reason: 'history-expired',
    });
  });

  it.each([
    ['it was not asked for', { asked: { start: 11, end: 30 } }],
    ['it was not asked for to its end', { asked: { start: 0, end: 19 } }],
    ['the equipment held it only from later on', { heldFrom: 11 }],
    ['nobody knows from where on it is held', { heldFrom: Number.NaN }],
    ['not all had been recorded', { recordedTo: 19 }],
  ])('is refused, to be asked for again, where %s', (_, change) => {
    expect(() => CompletePage.of(window, [], { ...evidence, ...change })).toThrow(
      expect.objectContaining({ code: 'source-page-unproven', retryable: true }),
    );
  });

  it.each([
    ['before it', [reading(9)]],
    ['behind it', [reading(20)]],
    ['out of order', [reading(15), reading(12)]],
  ])('is refused with a reading %s', (_, readings) => {
    expect(() => CompletePage.of(window, readings, evidence)).toThrow(/out of place/);
  });

  it('is never gone while the equipment may hold some of it', () => {
    expect(() => GonePage.of(window, { reason: 'history-expired', heldFrom: 19 })).toThrow(/still holds it/);
    expect(() => GonePage.of(window, { reason: 'history-expired', heldFrom: Number.NaN })).toThrow(
      /still holds/,
    );
    expect(() => GonePage.of({ start: 5, end: 5 }, { reason: 'no-history', said: 'x' })).toThrow(/empty/);
  });
});
