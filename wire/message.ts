import { HoldfastError } from '../kernel/errors.ts';
import type { BodyOptions, ContentEncoding } from './body.ts';
import type { BackfillMark, MiniBatch, VoidDeclaration, VoidReason, WireMessage } from './mini-batch.ts';
import type { Reading } from './reading.ts';
import type { IndexKind, Window } from './window.ts';

export interface MessageOptions extends BodyOptions {
  /** UTC epoch ms. */
  readonly creationTime: number;
  /** Limit for each message with its properties. Default 262,144. */
  readonly maxBytes?: number;
  readonly mark?: BackfillMark;
  /**
   * Called for each reading that cannot be sent (its value is no JSON value, or is too large for a
   * message); a marker without value and with bad quality takes its place. Without it such a reading throws.
   */
  readonly onRefused?: (reading: Reading, error: HoldfastError) => void;
}

interface ParsedCommon {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly window: Window;
  readonly isBackfill: boolean;
  readonly requestId?: string;
  readonly messageId?: string;
}
export interface ParsedBatch extends ParsedCommon {
  readonly kind: 'batch';
  /** Absent in messages of the published sample. */
  readonly count?: number;
  /** `k` of `n`, from 1. Absent when the window is one message. */
  readonly part?: { readonly k: number; readonly n: number };
  /** Absent in messages of the published sample: their body is anything. */
  readonly schema?: string;
  readonly contentEncoding?: ContentEncoding;
}
export interface ParsedVoid extends ParsedCommon {
  readonly kind: 'void';
  readonly reason: VoidReason;
}
export type ParsedMessage = ParsedBatch | ParsedVoid;

export interface SystemProperties {
  readonly messageId?: unknown;
  readonly contentType?: unknown;
  readonly contentEncoding?: unknown;
}

export function encodeMiniBatch(_batch: MiniBatch, _options: MessageOptions): readonly WireMessage[] {
  throw new HoldfastError('wire-not-ready', 'being written');
}
export function encodeVoid(
  _declaration: VoidDeclaration,
  _options: { readonly creationTime: number; readonly mark?: BackfillMark },
): WireMessage {
  throw new HoldfastError('wire-not-ready', 'being written');
}
export function markAsBackfill(_message: WireMessage, _mark: BackfillMark): WireMessage {
  throw new HoldfastError('wire-not-ready', 'being written');
}
export function messageBytes(_message: WireMessage): number {
  throw new HoldfastError('wire-not-ready', 'being written');
}
export function parseMessage(
  _properties: Readonly<Record<string, unknown>>,
  _system: SystemProperties,
): ParsedMessage {
  throw new HoldfastError('wire-not-ready', 'being written');
}
