// Whether a sample that the equipment stamped follows the one before it, or something is missing between. Pure.

export interface Stamp {
  /** Epoch ms. */
  readonly timestamp: number;
  /** The sample's number, where the equipment counts its samples. */
  readonly number?: number;
}

/** Of a sample whose number is its index: the time may be wrong, or missing. */
export interface NumberedStamp {
  readonly timestamp?: number | undefined;
  readonly number: number;
}

export type AnyStamp = Stamp | NumberedStamp;

export type Continuity =
  /** The same sample as before. */
  | { readonly kind: 'unchanged' }
  /** The next sample; `broken` says why others may be missing between, or before it. */
  | { readonly kind: 'next'; readonly broken?: string }
  /** Another sample with the same timestamp: it has no place of its own in the stream. */
  | { readonly kind: 'repeated-stamp' };

/** `modulus` is where the record number starts again from 0. */
export function compareStamps(last: Stamp | undefined, next: Stamp, modulus: number): Continuity {
  if (last === undefined) return { kind: 'next' };
  const isSameTime = next.timestamp === last.timestamp;
  if (isSameTime) return next.number === last.number ? { kind: 'unchanged' } : { kind: 'repeated-stamp' };
  if (next.timestamp < last.timestamp) return { kind: 'next', broken: 'equipment-clock-went-back' };
  const isCounted = last.number !== undefined && next.number !== undefined;
  if (isCounted && next.number !== (last.number! + 1) % modulus)
    return { kind: 'next', broken: 'samples-missed' };
  return { kind: 'next' };
}
