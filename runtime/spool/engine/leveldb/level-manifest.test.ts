import { expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../../kernel/random.ts';
import { BadBytesError } from './byte-reader.ts';
import { readManifest } from './level-manifest.ts';

const key = (text: string) => [text.length + 8, ...Buffer.from(text), 1, 0, 0, 0, 0, 0, 0, 0];
const added = (number: number, bytes: number) => [7, 0, number, bytes, ...key('a'), ...key('z')];
const removed = (number: number) => [6, 0, number];
const numbers = [2, 9, 3, 12, 4, 100];
const read = (...records: number[][]) => readManifest(records.map((bytes) => Buffer.from(bytes)));

it('the tables in use are those that were added and not removed since', () => {
  const { tables, logNumber } = read(
    [1, 1, 120],
    [...numbers, ...added(5, 60)],
    [...added(7, 70), ...removed(5)],
  );
  expect([...tables.keys()]).toEqual([7]);
  expect(tables.get(7)).toEqual({
    number: 7,
    bytes: 70,
    smallest: Buffer.from('a'),
    largest: Buffer.from('z'),
  });
  expect(logNumber).toBe(9);
});

it('an edit that removes a table and adds it to another level leaves it in use', () => {
  expect([...read(numbers, [...added(5, 60), ...removed(5)]).tables.keys()]).toEqual([5]);
});

it.each([
  ['nothing', []],
  ['no number of the log', [[3, 12, 4, 100]]],
  ['its first record alone', [added(5, 60)]],
  ['an entry of an unknown kind', [[...numbers, 42]]],
  ['a key that is too short', [[...numbers, 7, 0, 5, 60, 1, 97, ...key('z')]]],
])('a MANIFEST with %s is refused', (_, records) => {
  expect(() => read(...records)).toThrow(BadBytesError);
});

it('arbitrary bytes are refused, or read to their end', () => {
  const random = seededRandom(8);
  for (let n = 0; n < 5000; n++) {
    const noise = Array.from({ length: randomInt(random, 30) }, () => randomInt(random, 256));
    try {
      read(numbers, noise);
    } catch (error) {
      expect(error).toBeInstanceOf(BadBytesError);
    }
  }
});
