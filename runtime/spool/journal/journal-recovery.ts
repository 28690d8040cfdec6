// At start: what was open when the last process ended becomes closed windows, many streams in one atomic synced
// batch, each together with the deletion of its journal. A crash in the middle leaves streams that are done
// and streams that are not; the next start goes on with the latter. The bounds do not depend on when that
// happens, so what was durable once comes out the same.

import { HoldfastError } from '../../../kernel/errors.ts';
import type { BodyOptions } from '../../../wire/body.ts';
import { WindowWriter } from '../archive/window-writer.ts';
import type { SpoolCore } from '../core/core.ts';
import type { Stream, StreamTable } from '../core/streams.ts';
import { entriesIn } from '../engine/pages.ts';
import type { BatchOp, Entry } from '../engine/store.ts';
import { journalKey, journalKeyOf, spaceBounds } from '../format/keys.ts';
import type { LaneStore } from '../lanes/lane-store.ts';
import { continuesUnconfirmed } from '../lanes/withheld.ts';
import { decodeJournal, type JournalRecord, type RecoveredWindow, recoverWindows } from './journal.ts';

// Journal records of one stream are read in pages of this size; windows are bounded, so few need two.
const pageEntries = 2000;
const streamsAtOnce = 200;
const readingsAtOnce = 50_000;
const lastStream = 0xffffffff;

export interface Recovery {
  readonly windows: number;
  readonly readings: number;
  readonly damaged: number;
}

export async function recoverJournal(
  core: SpoolCore,
  lanes: LaneStore,
  streams: StreamTable,
  encoding: BodyOptions,
): Promise<Recovery> {
  const total = { windows: 0, readings: 0, damaged: 0 };
  let from: number | undefined = 0;
  while (from !== undefined) {
    // One sync for many streams: on flash each costs milliseconds.
    const writer = new WindowWriter(core, lanes, streams, encoding);
    const batch = { windows: 0, readings: 0, damaged: 0 };
    for (
      let count = 0;
      count < streamsAtOnce && batch.readings < readingsAtOnce && from !== undefined;
      count++
    ) {
      const stream = await nextStream(core, from);
      from = stream === undefined || stream === lastStream ? undefined : stream + 1;
      if (stream === undefined) break;
      const done = await recoverStream(core, streams, writer, stream);
      batch.windows += done.windows;
      batch.readings += done.readings;
      batch.damaged += done.damaged;
    }
    const { ops, delta, publish } = writer.finish();
    if (ops.length > 0) await core.submit({ ops, sync: true, delta: { ...delta, damaged: batch.damaged } });
    publish();
    total.windows += batch.windows;
    total.readings += batch.readings;
    total.damaged += batch.damaged;
  }
  return total;
}

/** The first stream with a number of at least `from` that has a journal. */
async function nextStream(core: SpoolCore, from: number): Promise<number | undefined> {
  const [next] = await core.store.range({
    gte: journalKey(from, 0),
    lt: spaceBounds('j').lt,
    limit: 1,
    keysOnly: true,
  });
  return next === undefined ? undefined : journalKeyOf(next.key).stream;
}

async function recoverStream(
  core: SpoolCore,
  streams: StreamTable,
  writer: WindowWriter,
  number: number,
): Promise<Recovery> {
  const entries = await readJournal(core, number);
  writer.add(...entries.map((entry): BatchOp => ({ type: 'del', key: entry.key })));
  const stream = streams.byNumber(number);
  if (stream === undefined) {
    core.log.error(
      { code: 'spool-damage', stream: number, records: entries.length },
      'a journal of an unknown stream is dropped',
    );
    return { windows: 0, readings: 0, damaged: entries.length };
  }
  const records = entries.map((entry) => openRecord(core, stream, entry));
  const inSequence = withHoles(entries, records);
  const recovered = recoverWindows(inSequence);
  for (const each of recovered) closeRecovered(core, streams, writer, stream, each);
  const last = entries.at(-1);
  const sequence = last === undefined ? 0 : journalKeyOf(last.key).sequence + 1;
  const known = streams.get(stream.batchId) ?? stream;
  const damaged = records.filter((record) => record === undefined).length;
  // The last record may have reached further than what is left.
  const continuity = inSequence.includes(undefined) ? 'lost' : (known.continuity ?? 'proven');
  const closed = streams.update(known, { continuity, journal: { from: sequence, to: sequence } });
  writer.add(...streams.recordOps(closed));
  return {
    windows: recovered.length,
    readings: recovered.reduce((sum, { readings }) => sum + readings.length, 0),
    damaged,
  };
}

function closeRecovered(
  core: SpoolCore,
  streams: StreamTable,
  writer: WindowWriter,
  stream: Stream,
  recovered: RecoveredWindow,
): void {
  const { window, readings } = recovered;
  const { batchId, index } = stream;
  // Below the floor another window stands already: only late windows may reach there.
  const late = recovered.late || window.start < (stream.floor ?? Number.NEGATIVE_INFINITY);
  const batch = { batchId, index, window, readings };
  if (late) writer.addLate(streams.get(batchId) ?? stream, batch, { lane: 'live' });
  else {
    const withheld = continuesUnconfirmed(
      core.hub,
      streams.get(batchId) ?? stream,
      window,
      core.hub.start - 1,
    );
    writer.addBatch(stream, batch, { lane: 'live', withheld });
  }
  const known = streams.get(batchId) ?? stream;
  // Beyond what was claimed others may have been on their way: only a proof claims what lies among them.
  if (late) streams.update(known, { seen: Math.max(known.seen ?? window.end, window.end) });
  else {
    const floor = Math.max(known.floor ?? window.end, window.end);
    streams.update(known, { floor, reachedIn: core.hub.start - 1, lastWindow: window });
  }
}

function readJournal(core: SpoolCore, number: number): Promise<readonly Entry[]> {
  const lt = number === lastStream ? spaceBounds('j').lt : journalKey(number + 1, 0);
  return entriesIn(core.store, { gte: journalKey(number, 0), lt, limit: pageEntries });
}

function openRecord(core: SpoolCore, stream: Stream, entry: Entry): JournalRecord | undefined {
  try {
    return decodeJournal(stream.index, core.codec.open('J', entry.key, entry.value));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    core.log.error(
      { code: 'spool-damage', batchId: stream.batchId, error: error.message },
      'a damaged journal record: its readings become a hole',
    );
    core.metrics.count('holdfast_spool_damaged_total');
    return undefined;
  }
}

/** A number missing between two records is a record that the store lost. */
function withHoles(
  entries: readonly Entry[],
  records: readonly (JournalRecord | undefined)[],
): readonly (JournalRecord | undefined)[] {
  const filled: (JournalRecord | undefined)[] = [];
  let expected: number | undefined;
  for (const [n, entry] of entries.entries()) {
    const { sequence } = journalKeyOf(entry.key);
    if (expected !== undefined && sequence !== expected) filled.push(undefined);
    filled.push(records[n]);
    expected = sequence + 1;
  }
  return filled;
}
