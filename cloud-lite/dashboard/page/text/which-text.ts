// Says what a gap or a request covers: a range of the stream, or numbers of its late windows.
import type { RangeOfStream } from '../../../repair/range-of-stream.ts';
import { zone } from '../live/platform.ts';
import { lengthText, plural, rangeText } from './format.ts';

type Which = Pick<RangeOfStream, 'index' | 'lateSeries' | 'start' | 'end'>;

export function whichText({ index, lateSeries, start, end }: Which): string {
  if (lateSeries === null) return rangeText(index, start, end, zone);
  const numbers = end - start === 1 ? String(start) : `${start} to ${end - 1}`;
  return `late ${numbers}`;
}

export function sizeText({ index, lateSeries }: Pick<Which, 'index' | 'lateSeries'>, length: number): string {
  return lateSeries === null ? lengthText(index, length) : plural(length, 'late window');
}
