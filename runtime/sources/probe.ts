// The port of `holdfast probe`: reads the equipment once, for a person who sets it up. It is separate from `run`: nothing
// that is probed reaches a window.
import type { Quality, Value } from '../../wire/reading.ts';

/** The raw form of one value, before it was decoded. */
export type RawValue =
  /** 16-bit registers, 0 to 65535, in the order of their addresses. */
  | { readonly kind: 'registers'; readonly registers: readonly number[] }
  | { readonly kind: 'bits'; readonly bits: readonly boolean[] }
  /** Shown in hexadecimal. At most 256; `length` says how many there were. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly length: number }
  /** Where the protocol has types of its own: as `Double`, or a status code by its name. At most 200 characters. */
  | { readonly kind: 'text'; readonly text: string };

/** The outcome of reading one tag once. */
export interface ProbedTag {
  readonly tag: string;
  /** Where it was read, in the protocol's words, as `holding 6-7` or `ns=2;s=Press.Temperature`. */
  readonly place: string;
  /** As a reading would have it; null where there is none. */
  readonly value: Value;
  readonly quality: Quality;
  /** From the request to its answer; tags that came with one answer share it. Waiting for a turn is left out. */
  readonly tookMs: number;
  /** The time that the equipment gives the value, epoch ms, where it gives one. */
  readonly timestamp?: number;
  readonly raw?: RawValue;
  /** Why there is no good value, and what to change: for people, one line. */
  readonly problem?: string;
}

/** `Source.probe`, see there. */
export type Probe = (signal: AbortSignal) => AsyncIterable<ProbedTag>;
