// At start: what was open when the last process ended becomes closed windows, one stream at a time, each
// in one atomic synced write together with the deletion of its journal. A crash in the middle leaves
// streams that are done and streams that are not; the next start goes on with the latter. The bounds
// do not depend on when that happens, so what was durable once comes out the same.
import { HoldfastError } from '../../kernel/errors.ts';
import type { SpoolCore } from './core.ts';
import { decodeJournal, type JournalRecord, recoverWindows } from './journal.ts';
import { journalKey, journalKeyOf } from './keys.ts';
import type { LaneStore } from './lane-store.ts';
import type { BatchOp, Entry } from './store.ts';
import type { Stream, StreamTable } from './streams.ts';
import { type BodyEncoding, WindowWriter } from './window-writer.ts';

// Journal records of one stream are read in pages of this size; windows are bounded, so few need two.
const pageEntries = 2000;

export interface Recovery {
  readonly windows: number;
  readonly readings: number;
  readonly damaged: number;
}

export async function recoverJournal(
  core: SpoolCore,
  lanes: LaneStore,
  streams: StreamTable,
  encoding: BodyEncoding,
): Promise<Recovery> {
  const total = { windows: 0, readings: 0, damaged: 0 };
  let from = 0;
  for (;;) {
    const [next] = await core.store.range({
      gte: journalKey(from, 0),
      lt: Buffer.from('k'),
      limit: 1,
      keysOnly: true,
    });
    if (next === undefined) break;
    const { stream } = journalKeyOf(next.key);
    const done = await recoverStream(core, lanes, streams, encoding, stream);
    total.windows += done.windows;
    total.readings += done.readings;
    total.damaged += done.damaged;
    if (stream === 0xffffffff) break;
    from = stream + 1;
  }
  return total;
}

async function recoverStream(
  core: SpoolCore,
  lanes: LaneStore,
  streams: StreamTable,
  encoding: BodyEncoding,
  number: number,
): Promise<Recovery> {
  const entries = await readJournal(core, number);
  const stream = streams.byNumber(number);
  const writer = new WindowWriter(core, lanes, streams, encoding);
  let windows = 0;
  let readings = 0;
  const opened = stream === undefined ? [] : entries.map((entry) => openRecord(core, stream, entry));
  const damaged = opened.filter((record) => record === undefined).length;
  if (stream !== undefined) {
    for (const recovered of recoverWindows(withHoles(entries, opened))) {
      // Below the floor another window stands already: only late windows may reach there.
      const late = recovered.late || recovered.window.start < (stream.floor ?? Number.NEGATIVE_INFINITY);
      const batch = { batchId: stream.batchId, index: stream.index, ...recovered };
      writer.addBatch(stream, batch, late ? { lane: 'live', mark: {} } : { lane: 'live' });
      windows++;
      readings += recovered.readings.length;
      const now = streams.get(stream.batchId) ?? stream;
      streams.update(now, {
        floor: Math.max(now.floor ?? recovered.window.end, recovered.window.end),
        lastWindow: recovered.window,
      });
    }
    writer.add(...streams.recordOps(streams.get(stream.batchId) ?? stream));
    const last = entries.at(-1);
    const sequence = last === undefined ? 0 : journalKeyOf(last.key).sequence + 1;
    streams.update(streams.get(stream.batchId) ?? stream, { journal: { from: sequence, to: sequence } });
  } else {
    core.log.error({ stream: number }, 'a journal without its stream is dropped');
  }
  writer.add(...entries.map((entry): BatchOp => ({ type: 'del', key: entry.key })));
  const { ops, delta, publish } = writer.finish();
  await core.submit({ ops, sync: true, delta: { ...delta, damaged } });
  publish();
  return { windows, readings, damaged };
}

async function readJournal(core: SpoolCore, number: number): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let gte = journalKey(number, 0);
  const lt = number === 0xffffffff ? Buffer.from('k') : journalKey(number + 1, 0);
  for (;;) {
    const page = await core.store.range({ gte, lt, limit: pageEntries });
    entries.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < pageEntries) return entries;
    gte = journalKey(number, journalKeyOf(last.key).sequence + 1);
  }
}

function openRecord(core: SpoolCore, stream: Stream, entry: Entry): JournalRecord | undefined {
  try {
    return decodeJournal(stream.index, core.codec.open('J', entry.key, entry.value));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    core.log.error(
      { batchId: stream.batchId, error: error.message },
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
