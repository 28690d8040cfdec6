import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../../kernel/random.ts';
import { BadBytesError } from './byte-reader.ts';
import { unpackSnappy } from './snappy.ts';

describe('a Snappy block', () => {
  it.each([
    ['a literal', [3, 0b000010_00, 97, 98, 99], 'abc'],
    ['a literal with its length in a byte', [3, 60 << 2, 2, 97, 98, 99], 'abc'],
    ['a copy with one byte of offset', [7, 0b000010_00, 97, 98, 99, 0b000_000_01, 3], 'abcabca'],
    ['a copy with two', [6, 0b000010_00, 97, 98, 99, 0b000010_10, 3, 0], 'abcabc'],
    ['a copy with four', [6, 0b000010_00, 97, 98, 99, 0b000010_11, 3, 0, 0, 0], 'abcabc'],
    ['a copy that overlaps itself', [6, 0, 120, 0b000100_10, 1, 0], 'xxxxxx'],
  ])('has %s', (_, bytes, text) => {
    expect(unpackSnappy(Buffer.from(bytes)).toString()).toBe(text);
  });

  it.each([
    ['nothing', []],
    ['a length that is not reached', [9, 0, 97]],
    ['more than its length', [1, 0b000010_00, 97, 98, 99]],
    ['a copy from before its beginning', [5, 0, 97, 0b000_000_01, 2]],
    ['a copy of nothing yet', [5, 0b000_000_01, 0]],
    ['a literal that is cut short', [5, 0b000100_00, 97]],
    ['a length of gigabytes', [255, 255, 255, 255, 15]],
  ])('is refused with %s', (_, bytes) => {
    expect(() => unpackSnappy(Buffer.from(bytes))).toThrow(BadBytesError);
  });

  it('of arbitrary bytes unpacks to the length that it states, or is refused', () => {
    const random = seededRandom(4);
    let unpacked = 0;
    for (let n = 0; n < 20_000; n++) {
      const bytes = Buffer.from(
        Array.from({ length: 1 + randomInt(random, 12) }, () => randomInt(random, 256)),
      );
      bytes[0]! &= 15;
      try {
        expect(unpackSnappy(bytes).byteLength).toBe(bytes[0]);
        unpacked++;
      } catch (error) {
        expect(error).toBeInstanceOf(BadBytesError);
      }
    }
    expect(unpacked).toBeGreaterThan(10);
  });
});
