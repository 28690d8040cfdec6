// A sample's own time stamp and number: whether it is the one after the last, and the part that is kept with the stream. Pure.
import { twiceStepMs } from './clock-steps.ts';

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

/** What is kept with the stream, in one whole number below 2^53. */
export interface Kept {
  /** The last sample's, where the equipment counts them. */
  readonly number: number | undefined;
  /** The time up to which some came twice, by a clock that was set back; 0 where none did. */
  readonly twiceTo: number;
  /** The stream ends with the last sample's time, not where observation was only to begin. */
  readonly isShown: boolean;
  /** As `Recalled.lagMs`; 0 where samples are counted: there the count tells. */
  readonly lagMs: number;
}

/** Room for the number of a sample, or for `lagMs`; above it 20 bits of ten minutes each, from 2020 to 2039, and one more. */
const numberSpan = 2 ** 32;
const stepSpan = 2 ** 20;
const since = Date.UTC(2020, 0, 1);

/** `modulus`: where the numbers start again from 0. Those beyond 32 bits leave no room for the time. */
export function encodeKept(
  { number, twiceTo, isShown, lagMs }: Kept,
  modulus: number | undefined,
): number | undefined {
  if ((modulus ?? 0) > numberSpan || (modulus !== undefined && number === undefined)) return number;
  const low = number ?? (lagMs < numberSpan ? Math.ceil(lagMs) : 0);
  const steps = Math.min(stepSpan - 1, Math.max(0, Math.ceil((twiceTo - since) / twiceStepMs)));
  return (steps + (isShown ? stepSpan : 0)) * numberSpan + low;
}

export function decodeKept(kept: number | undefined, modulus: number | undefined): Kept {
  if (kept === undefined) return { number: undefined, twiceTo: 0, isShown: false, lagMs: 0 };
  if ((modulus ?? 0) > numberSpan) return { number: kept, twiceTo: 0, isShown: false, lagMs: 0 };
  const high = Math.floor(kept / numberSpan);
  const steps = high % stepSpan;
  const low = kept % numberSpan;
  return {
    number: modulus === undefined ? undefined : low,
    twiceTo: steps === 0 ? 0 : since + steps * twiceStepMs,
    isShown: high >= stepSpan,
    lagMs: modulus === undefined ? low : 0,
  };
}
