// A value as a reading has it: what it is, and what it is worth.
import type { Quality, Reading } from '../../../wire/reading.ts';
import type { WireValue } from './opcua-session.ts';
import { qualityOf } from './quality.ts';
import { decode } from './values.ts';

export type Content = Pick<Reading, 'value' | 'quality'>;

export function contentOf({ value: variant, statusCode }: WireValue): Content {
  // Most values by far: a good number. This runs hundreds of thousands of times a second.
  if (variant && variant.arrayType === 0 && statusCode.value === 0) {
    const { value } = variant;
    if (typeof value === 'number' && Number.isFinite(value))
      return { value: value === 0 ? 0 : value, quality: 'good' };
  }
  const { value, fault } = decode(variant);
  return {
    value,
    quality: fault === undefined ? qualityOf(statusCode) : faulty(qualityOf(statusCode), fault),
  };
}

/** In one go: the spread of a content costs as much again as all the rest. */
export function readingOf(index: number, tag: string, wire: WireValue): Reading {
  const { value: variant, statusCode } = wire;
  if (variant && variant.arrayType === 0 && statusCode.value === 0) {
    const { value } = variant;
    if (typeof value === 'number' && Number.isFinite(value))
      return { index, tag, value: value === 0 ? 0 : value, quality: 'good' };
  }
  const { value, quality } = contentOf(wire);
  return { index, tag, value, quality };
}

/** Its value cannot be had; where the server itself says that there is none, its reason counts. */
function faulty(quality: Quality, fault: string): Quality {
  return quality === 'good' || fault !== 'no-value' ? `bad:${fault}` : quality;
}
