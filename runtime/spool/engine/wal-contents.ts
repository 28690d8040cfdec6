// The journal as the commit log leaves it: what a replay finds, for the store and for those who only look.

import { decodeOps } from './wal-ops.ts';
import type { FiledRecord, LogContents } from './wal-replay.ts';
import { inRanges, JournalPlaces } from './wal-values.ts';

const journalSpace = 0x6a;
const journalKeyBytes = 11;

export const isJournalKey = (key: Uint8Array): boolean =>
  key[0] === journalSpace && key.byteLength === journalKeyBytes;

/** `missing`: journal records that the last checkpoint counts and the files no longer hold. */
export function journalOf(contents: LogContents): { places: JournalPlaces; missing: number } {
  const places = new JournalPlaces();
  const ranges = contents.checkpoint?.journal ?? [];
  const counts = inRanges(ranges);
  let found = 0;
  for (const record of contents.before) {
    for (const { op, valueAt } of journalOps(record)) {
      if (op.type !== 'put' || !counts(op.key)) continue;
      if (places.find(op.key) === undefined) found++;
      places.put(op.key, placeOf(record, valueAt, op.value.byteLength));
    }
  }
  for (const record of contents.after) {
    for (const { op, valueAt } of journalOps(record)) {
      if (op.type === 'put') places.put(op.key, placeOf(record, valueAt, op.value.byteLength));
      else places.remove(op.key);
    }
  }
  const counted = ranges.reduce((sum, [, from, to]) => sum + to - from, 0);
  return { places, missing: counted - found };
}

function* journalOps(record: FiledRecord) {
  if (record.kind !== 'batch') return;
  for (const each of decodeOps(record.payload)) {
    if (isJournalKey(each.op.key) && each.op.type !== 'placed') yield each;
  }
}

function placeOf(record: FiledRecord, valueAt: number, length: number) {
  return { generation: record.generation, offset: record.offset + valueAt, length };
}

/**
 * For people, where the index is older than the last checkpoint: that one was written only when the index was on the disk, with
 * `durable` at least as high in it. All sums of such an index are right: only this tells.
 */
export function wentBack({ checkpoint }: LogContents, durable: number): string | undefined {
  if (checkpoint === undefined || durable >= checkpoint.applied) return undefined;
  return `the index went back: of ${checkpoint.applied} batches that it held it knows ${durable}`;
}

/** For people: what the medium lost of the log. `durable`: up to there the index knows that the log was on the disk. */
export function lossesOf(contents: LogContents, missing: number, durable: number): readonly string[] {
  return [
    ...(contents.damage === undefined ? [] : [contents.damage]),
    ...(missing > 0 ? [`${missing} records of the journal are missing from the commit log`] : []),
    ...(contents.lastSequence < durable ? ['the end of the commit log is missing'] : []),
  ];
}
