import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  idKey,
  idOf,
  indexKey,
  indexKeyOf,
  journalKey,
  journalKeyOf,
  maxId,
  queuedKey,
  sizeClassOf,
  spaceBounds,
  textKey,
  textOf,
} from './keys.ts';

const index = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
const id = fc.nat(maxId);

describe('keys', () => {
  it('order bytewise as their numbers do', () => {
    fc.assert(
      fc.property(index, index, id, id, (a, b, m, n) => {
        expect(Math.sign(Buffer.compare(indexKey(1, 3, a, 0), indexKey(1, 3, b, 0)))).toBe(Math.sign(a - b));
        expect(Math.sign(Buffer.compare(idKey('u', m), idKey('u', n)))).toBe(Math.sign(m - n));
        expect(Math.sign(Buffer.compare(journalKey(7, m), journalKey(7, n)))).toBe(Math.sign(m - n));
        expect(Math.sign(Buffer.compare(queuedKey(m, 5), queuedKey(n, 5)))).toBe(Math.sign(m - n));
      }),
    );
  });

  it('read back as what was written', () => {
    fc.assert(
      fc.property(
        index,
        id,
        fc.nat(2 ** 32 - 1),
        fc.nat(53),
        fc.string(),
        (start, n, stream, sizeClass, name) => {
          expect(indexKeyOf(indexKey(stream, sizeClass, start, n))).toEqual({
            stream,
            sizeClass,
            start,
            id: n,
          });
          expect(idOf(idKey('r', n))).toBe(n);
          expect(journalKeyOf(journalKey(stream, n))).toEqual({ stream, sequence: n });
          expect(textOf(textKey('s', name))).toBe(Buffer.from(name).toString());
        },
      ),
    );
  });

  it('lie within their space', () => {
    const { gte, lt } = spaceBounds('u');
    for (const n of [0, 1, maxId]) {
      expect(Buffer.compare(idKey('u', n), gte)).toBeGreaterThanOrEqual(0);
      expect(Buffer.compare(idKey('u', n), lt)).toBeLessThan(0);
    }
  });

  it('put a window into a class whose bound is longer than the window', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (length) => {
        const sizeClass = sizeClassOf({ start: 0, end: length });
        expect(length).toBeLessThanOrEqual(2 ** (sizeClass + 1));
        expect(sizeClass).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
