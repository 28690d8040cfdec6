import { HoldfastError } from '../kernel/errors.ts';
import type { Reading } from './reading.ts';
import type { IndexKind } from './window.ts';

/** Body formats, named as the message property `schema` names them. docs/WIRE.md specifies both. */
export type BodySchema = 'readings/1' | 'columns/1';
export type ContentEncoding = 'utf-8' | 'gzip';
export interface BodyOptions {
  readonly schema: BodySchema;
  readonly gzip: boolean;
}
export interface EncodedBody {
  readonly body: Uint8Array;
  readonly contentEncoding: ContentEncoding;
  readonly schema: BodySchema;
}

export function encodeBody(
  _kind: IndexKind,
  _readings: readonly Reading[],
  _options: BodyOptions,
): EncodedBody {
  throw new HoldfastError('wire-not-ready', 'being written');
}

export function decodeBody(
  _body: Uint8Array,
  _options: {
    readonly schema: string;
    readonly contentEncoding: string | undefined;
    readonly index: IndexKind;
  },
): Reading[] {
  throw new HoldfastError('wire-not-ready', 'being written');
}
