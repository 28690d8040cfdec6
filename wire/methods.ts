import { HoldfastError } from '../kernel/errors.ts';
import type { IndexKind, Window } from './window.ts';

/** One bad field of a method's payload, for the body of a 400 answer. */
export interface FieldError {
  readonly field: string;
  readonly problem: string;
}
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

export interface BackfillRequest {
  readonly requestId: string;
  readonly batchId: string;
  /** As given: only the stream's index kind tells how to read them. See `resolveRange`. */
  readonly startWindow: string;
  readonly endWindow: string;
  /**
   * True when the payload had no request id (the published sample's have none) and one was derived from its
   * content. Asking again for the same range then gives the same id, so a finished job may be run again.
   */
  readonly derivedId: boolean;
}

/** The method names that the module answers to: protocol.md's, with the published sample's as aliases. */
export const methodNames = {
  backfill: ['backfill', 'BackfillMethod'],
  getBackfill: ['getBackfill'],
  cancelBackfill: ['cancelBackfill'],
  status: ['status'],
  skip: ['skip', 'SkipMessageMethod'],
} as const;

export function parseBackfillRequest(_payload: unknown): Parsed<BackfillRequest> {
  throw new HoldfastError('wire-not-ready', 'being written');
}
export function resolveRange(
  _request: Pick<BackfillRequest, 'startWindow' | 'endWindow'>,
  _kind: IndexKind,
): Parsed<Window> {
  throw new HoldfastError('wire-not-ready', 'being written');
}
/** For `getBackfill` and `cancelBackfill`. `declareVoid` is what cancelBackfill's caller may ask for. */
export function parseRequestId(_payload: unknown): Parsed<{ requestId: string; declareVoid: boolean }> {
  throw new HoldfastError('wire-not-ready', 'being written');
}
/** `batchId` is absent only in the published sample's form (no payload): the next window of every stream. */
export function parseSkip(_payload: unknown): Parsed<{ batchId?: string; count: number }> {
  throw new HoldfastError('wire-not-ready', 'being written');
}
