// Reads the journal of one stream.
import type { IndexKind } from '../../../wire/window.ts';
import type { Entry } from '../engine/store.ts';
import { journalKeyOf } from '../format/keys.ts';
import type { RecordCodec } from '../format/record.ts';
import {
  decodeJournal,
  type JournalRecord,
  type RecoveredWindow,
  recoverWindows,
} from '../journal/journal.ts';
import { readRecord } from './record-reading.ts';

export interface StreamJournal {
  readonly number: number;
  /** Damaged records and missing numbers, by key. */
  readonly problems: readonly {
    readonly key: Uint8Array;
    readonly problem: string;
    readonly fault: 'seal' | 'contents' | 'missing';
  }[];
  readonly records: number;
  readonly windows: readonly RecoveredWindow[];
}

/** `index`: how the stream is ordered; undefined for an unknown stream. */
export function readJournal(
  codec: RecordCodec,
  stream: { readonly number: number; readonly index: IndexKind | undefined },
  entries: readonly Entry[],
): StreamJournal {
  const problems: StreamJournal['problems'][number][] = [];
  const records: (JournalRecord | undefined)[] = [];
  let expected: number | undefined;
  for (const { key, value } of entries) {
    const { sequence } = journalKeyOf(key);
    if (expected !== undefined && sequence !== expected) {
      const problem = `${sequence - expected} journal records before this one are missing`;
      problems.push({ key, problem, fault: 'missing' });
      records.push(undefined);
    }
    expected = sequence + 1;
    // The order of an unknown stream is unknown; decoding still shows whether the record is whole.
    const decode = (payload: Buffer) => decodeJournal(stream.index ?? 'sequence', payload);
    const record = readRecord(codec, 'J', key, value, decode);
    if ('problem' in record) problems.push({ key, ...record });
    records.push('problem' in record ? undefined : record.value);
  }
  const windows = stream.index === undefined ? [] : recoverWindows(records);
  return { number: stream.number, problems, records: entries.length, windows };
}
