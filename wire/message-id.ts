// Deterministic message ids, of characters that IoT Hub allows in them (a slash it does not):
// `batchId;start-end[;k.n][;v][;l<late number>.<sum>][;b]`. The same window always gets the same id, so that what is
// sent twice is recognised; a void (`v`) and what is marked as backfill (`b`) say so, since data for a window and a void
// for the same window must never pass for duplicates of each other. Readings that came late may stand at a position where
// others came late before: `l` and their number keep them apart, and the CRC-32 of the body where a module counts anew.
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { formatLateNumber, type LateNumber, type LateNumbers } from './late.ts';
import { maxMessageIdLength } from './limits.ts';
import type { Window } from './window.ts';

export interface MessageIdParts {
  readonly batchId: string;
  readonly window: Window;
  readonly part?: { readonly k: number; readonly n: number };
  readonly isVoid?: boolean;
  /** For readings that came late: their number and the body. */
  readonly late?: { readonly number: LateNumber; readonly body: Uint8Array } | undefined;
}

const backfillSuffix = ';b';
const digestLength = 16;

/** At most 126 characters: `asBackfillId` still fits into IoT Hub's limit of 128. */
export function messageId({ batchId, window, part, isVoid = false, late }: MessageIdParts): string {
  const partSuffix = part === undefined ? '' : `;${part.k}.${part.n}`;
  const lateSuffix =
    late === undefined
      ? ''
      : `;l${formatLateNumber(late.number)}.${crc32(late.body).toString(16).padStart(8, '0')}`;
  return fitted(batchId, `;${window.start}-${window.end}${partSuffix}${isVoid ? ';v' : ''}${lateSuffix}`);
}

/** The id of the declaration that late windows are lost. */
export function lateVoidId(batchId: string, { series, first, last }: LateNumbers): string {
  return fitted(batchId, `;l${formatLateNumber({ series, number: first })}-${last};v`);
}

function fitted(batchId: string, rest: string): string {
  return shortenStream(batchId, maxMessageIdLength - backfillSuffix.length - rest.length) + rest;
}

export function asBackfillId(id: string): string {
  return id.endsWith(backfillSuffix) ? id : id + backfillSuffix;
}

/**
 * A stream id too long for its message ids keeps its beginning, for people, and a digest of the whole, for
 * uniqueness. `+` stands in no stream id, so that no other stream's id can look the same.
 */
function shortenStream(batchId: string, length: number): string {
  if (batchId.length <= length) return batchId;
  const digest = createHash('sha256').update(batchId).digest('hex').slice(0, digestLength);
  return `${batchId.slice(0, length - digestLength - 1)}+${digest}`;
}
