import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { overlay } from './overlay.ts';

const entry = (key: number, from: string) => ({ key: Buffer.of(key), from });

describe('an overlay', () => {
  it('is what a map would hold, sorted, in both directions', () => {
    const random = seededRandom(9);
    const some = (from: string) =>
      [...new Set(Array.from({ length: randomInt(random, 8) }, () => randomInt(random, 12)))]
        .sort((a, b) => a - b)
        .map((key) => entry(key, from));
    for (let round = 0; round < 2000; round++) {
      const [base, over] = [some('base'), some('over')];
      const expected = [...new Map([...base, ...over].map((each) => [each.key[0]!, each.from]))].sort(
        ([a], [b]) => a - b,
      );
      const shown = (found: Iterable<{ key: Uint8Array; from: string }>) =>
        [...found].map(({ key, from }) => [key[0], from]);
      expect(shown(overlay(base, over))).toEqual(expected);
      expect(shown(overlay(base.toReversed(), over.toReversed(), true))).toEqual(expected.toReversed());
    }
  });
});
