// The readings that the sources of the kill test emit: a function of stream and index, so that the checker knows them too.
import type { Reading } from '../../../wire/reading.ts';

export const killStreams = ['boiler', 'press', 'meter'] as const;

const indexesARun = 1_000_000_000;

/** Each run has its own range: whatever spans two of them claims what nobody observed. */
export const firstIndexOf = (run: number) => run * indexesARun;
export const runOf = (index: number) => Math.floor(index / indexesARun);

export function readingsAt(stream: string, index: number): readonly Reading[] {
  const mixed = Math.imul(index ^ (stream.length * 7919), 0x9e3779b1) >>> 0;
  // None at most positions, then one, sometimes several that share it.
  const count = mixed % 5 === 0 ? 1 + (mixed % 3) : 0;
  return Array.from({ length: count }, (_, n) => ({
    index,
    tag: `tag-${n}`,
    value: n === 2 ? `text ${mixed}` : mixed / (n + 1),
    quality: 'good',
  }));
}
