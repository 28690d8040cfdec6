import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import type { Reading } from '../../../wire/reading.ts';
import { mergeInOrder } from './merge.ts';

describe('merging readings', () => {
  it('is a stable sort of all of them, in the order of the lists (500 random sets)', () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = seededRandom(seed);
      const runs = Array.from({ length: randomInt(random, 9) }, (_, run): Reading[] => {
        let index = randomInt(random, 40);
        return Array.from({ length: randomInt(random, 12) }, (_, at) => {
          index += randomInt(random, 3);
          return { index, tag: `${run}`, value: at, quality: 'good' };
        });
      });
      const before = structuredClone(runs);
      expect(mergeInOrder(runs), `seed ${seed}`).toEqual(runs.flat().sort((a, b) => a.index - b.index));
      expect(runs).toEqual(before);
    }
  });
});
