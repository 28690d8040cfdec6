// The value and quality of a reading.
import type { Quality, Reading, Value } from '../../../wire/reading.ts';
import type { WireValue } from './opcua-session.ts';
import { qualityOf } from './quality.ts';
import { type DecodeFault, decode } from './values.ts';

export type Content = Pick<Reading, 'value' | 'quality'>;

export function contentOf({ value: variant, statusCode }: WireValue): Content {
  // Most values by far: a good number. This runs hundreds of thousands of times a second.
  if (variant && variant.arrayType === 0 && statusCode.value === 0) {
    const { value } = variant;
    if (typeof value === 'number' && Number.isFinite(value))
      return { value: value === 0 ? 0 : value, quality: 'good' };
  }
  const { value, fault } = decode(variant);
  const quality = qualityOf(statusCode);
  return { value, quality: fault === undefined ? quality : faulty(quality, value, fault) };
}

/**
 * A value of a server's history. In one go: the spread of a content costs as much again as all the rest.
 */
export function readingOf(index: number, tag: string, wire: WireValue): Reading {
  const { value: variant, statusCode } = wire;
  if (variant && variant.arrayType === 0 && statusCode.value === 0) {
    const { value } = variant;
    if (typeof value === 'number' && Number.isFinite(value))
      return { index, tag, value: value === 0 ? 0 : value, quality: 'good' };
  }
  const { value, quality } = contentOf(wire);
  return { index, tag, value, quality: quality === 'good' ? originOf(statusCode.value) : quality };
}

/** OPC 10000-11, 6.3.3: whether the equipment said it, or the historian put it between what it kept. */
function originOf(code: number): Quality {
  const isTold = (code & 0x0c00) === 0x0400;
  if (!isTold || (code & 0b11) === 0) return 'good';
  return (code & 0b11) === 1 ? 'uncertain:calculated' : 'uncertain:interpolated';
}

/** The server's own reason goes first: it says more than that the value could not be decoded. */
function faulty(quality: Quality, value: Value, fault: DecodeFault): Quality {
  if (quality.startsWith('bad')) return quality;
  if (fault === 'no-value' && quality !== 'good') return quality;
  // What is left of a structure or a list is as the server has it, and what is not is null in it.
  return value === null ? `bad:${fault}` : `uncertain:${fault}`;
}
