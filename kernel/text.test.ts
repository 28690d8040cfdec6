import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutText, plainLine } from './text.ts';

/** Any UTF-16 units, halves of characters among them. */
const units = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd800, max: 0xdfff })))
  .map((list) => String.fromCharCode(...list));

test('text is well-formed wherever it is cut, and loses no whole character before the cut', () => {
  fc.assert(
    fc.property(units, fc.nat(40), (text, most) => {
      const cut = cutText(text, most);
      expect(cut.isWellFormed()).toBe(true);
      expect(cut.length).toBeLessThanOrEqual(most);
      expect(cut.length).toBeGreaterThanOrEqual(Math.min(text.length, most) - 1);
      expect(text.toWellFormed().startsWith(cut)).toBe(true);
    }),
  );
});

test('a character that lies across the cut is left out', () => {
  expect(cutText('ab\u{1F600}c', 3)).toBe('ab');
  expect(cutText('ab\u{1F600}c', 4)).toBe('ab\u{1F600}');
});

test('text from elsewhere stays on its line, and neither steers a terminal nor shows itself reversed', () => {
  const nasty = 'a\u0007\u001b[2J\nb\u007f\u009b31m\u0085c\u2028d\u202egnp.exe\u2066e';
  expect(plainLine(nasty)).toBe('a  [2J b  31m c d gnp.exe e');
  expect(plainLine('Öfen 3 \u{1F525} 温度', '?')).toBe('Öfen 3 \u{1F525} 温度');
});
