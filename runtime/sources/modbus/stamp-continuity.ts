// What a sample that the equipment stamps says of itself. Pure.

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

/** `next` is the sample after `last`. `modulus` is where the numbers start again from 0. */
export function isNextStamp(last: Stamp, next: Stamp, modulus: number): boolean {
  if (last.number === undefined || next.number === undefined) return false;
  return next.number === (last.number + 1) % modulus;
}
