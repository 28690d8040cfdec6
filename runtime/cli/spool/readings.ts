// `holdfast spool export`: every reading in the spool that matches a filter, message by message.
import { decodeBody } from '../../../wire/body.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';
import type { StoredMessage } from '../../spool/format/message-record.ts';
import { attempt, type Read } from '../../spool/repair/record-reading.ts';
import { type SpoolReader, streamOf } from '../../spool/repair/spool-reader.ts';
import { type Filter, wantsIndex, wantsWindow } from './filter.ts';
import { describeMessage } from './listing.ts';

export interface ReadingPage {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly window: Window;
  /** Undefined: from the journal of a window that was still open. */
  readonly message: number | undefined;
  readonly readings: readonly Reading[];
}

/** `unreadable`: a message that the filter may want and that cannot be read. */
export type ExportStep = ReadingPage | { readonly unreadable: string };

/** Holds one message's readings at a time (a stream's open windows, for the journal). By id, journal last. */
export function* exportReadings(reader: SpoolReader, filter: Filter): Generator<ExportStep> {
  for (const message of reader.messages()) {
    if (message.stored === undefined && message.queued.length === 0) continue;
    const listed = describeMessage(reader, message);
    if (filter.lane !== undefined && !listed.lanes.includes(filter.lane)) continue;
    if (message.stored === undefined || 'problem' in message.stored) {
      yield { unreadable: `message ${message.id}: ${listed.problem}` };
      continue;
    }
    const { batchId, index, window } = streamOf(reader, message.stored.value);
    if (!wantsWindow(filter, batchId, index, window) || listed.void !== undefined) continue;
    const body = readBody(message.stored.value, index);
    if ('problem' in body) yield { unreadable: `message ${message.id}: ${body.problem}` };
    else {
      const readings = body.value.filter((reading) => wantsIndex(filter, index, reading.index));
      yield { batchId, index, window, message: message.id, readings };
    }
  }
  if (filter.lane === undefined) yield* exportJournals(reader, filter);
}

function* exportJournals(reader: SpoolReader, filter: Filter): Generator<ExportStep> {
  for (const journal of reader.journals()) {
    const stream = reader.streams.get(journal.number);
    for (const { problem } of journal.problems) {
      if (filter.stream !== undefined && filter.stream !== stream?.batchId) continue;
      yield { unreadable: `journal of ${stream?.batchId ?? `stream ${journal.number}`}: ${problem}` };
    }
    if (stream === undefined) continue;
    const { batchId, index } = stream;
    for (const { window, readings: all } of journal.windows) {
      if (!wantsWindow(filter, batchId, index, window)) continue;
      const readings = all.filter((reading) => wantsIndex(filter, index, reading.index));
      yield { batchId, index, window, message: undefined, readings };
    }
  }
}

export function readBody(stored: StoredMessage, index: IndexKind): Read<readonly Reading[]> {
  const { body, contentEncoding, properties } = stored.message;
  return attempt('contents', () =>
    decodeBody(body, { schema: properties.schema ?? '', contentEncoding, index }),
  );
}
