// Writes one stream's part of a commit: closed windows, and the journal's new record of the open one.
import type { ClosedWindow, EncodedWindow, JournalAppend, StreamChange } from '../../windows/window-store.ts';
import { addUnclaimed } from '../archive/unclaim.ts';
import type { WindowWriter } from '../archive/window-writer.ts';
import type { SpoolCore } from '../core/core.ts';
import type { Stream, StreamTable } from '../core/streams.ts';
import { journalKey } from '../format/keys.ts';
import { continuesUnconfirmed } from '../lanes/withheld.ts';
import { encodeJournal, readTo } from './journal.ts';

/** Adds the change to `writer`. The table of streams is ahead of the disk until that batch is written. */
export function writeChange(
  core: SpoolCore,
  streams: StreamTable,
  writer: WindowWriter,
  change: StreamChange,
): EncodedWindow[] {
  const { batchId, index, closed, restart, append, floor, seen, number } = change;
  const encoded: EncodedWindow[] = [];
  let hasClaimed = append !== undefined;
  let stream = streams.openOrCreate(batchId, index, core.clock.now());
  // It never goes back, whatever the caller says.
  const floorMoved = floor !== undefined && floor > (stream.floor ?? Number.NEGATIVE_INFINITY);
  const cameFurther = reachOf(floor, append?.end) > reachOf(stream.floor, stream.open?.end);
  const seenMoved = seen !== stream.seen;
  if (restart) stream = dropJournal(streams, writer, stream);
  // Late ones first: so the others say that they were there.
  for (const window of [...closed].sort((a, b) => Number(b.late) - Number(a.late))) {
    const { encodedBytes, isClaimed } = addWindow(core, stream, writer, window);
    encoded.push({ batchId, plainBytes: window.plainBytes, encodedBytes });
    stream = streams.get(batchId) ?? stream;
    if (isClaimed) stream = streams.update(stream, { lastWindow: window.batch.window });
    hasClaimed ||= isClaimed;
  }
  if (append !== undefined) stream = appendJournal(core, streams, writer, stream, append);
  if (floorMoved) stream = streams.update(stream, { floor, reachedIn: core.hub.start });
  if (seenMoved) stream = streams.update(stream, { seen });
  if (number !== undefined) stream = streams.update(stream, { lastNumber: number ?? undefined });
  // From here on its claims are its own again: whatever was lost lies below the first of them.
  if (hasClaimed) stream = streams.update(stream, { continuity: 'proven' });
  // Late readings, a break, and a window that closes where the journal had come to, say nothing of how far observation came since.
  if (cameFurther || !stream.stored)
    stream = streams.update(stream, { committedAt: core.clock.now(), committedUp: core.up });
  // The journal names its stream by number: the first commit of a stream must say which that is. And where a number is kept,
  // how long ago its sample was shown is asked for as well.
  const isChanged = restart || closed.length > 0 || floorMoved || seenMoved || number !== undefined;
  const isDated = cameFurther && stream.lastNumber !== undefined;
  if (isChanged || isDated || !stream.stored) writer.add(...streams.recordOps(stream));
  return encoded;
}

function reachOf(floor: number | undefined, journalled: number | undefined): number {
  return Math.max(floor ?? Number.NEGATIVE_INFINITY, journalled ?? Number.NEGATIVE_INFINITY);
}

function addWindow(core: SpoolCore, stream: Stream, writer: WindowWriter, { batch, late, to }: ClosedWindow) {
  const withheld = !late && continuesUnconfirmed(core.hub, stream, batch.window, core.hub.start);
  if (withheld && core.hub.state === 'denies')
    return { encodedBytes: addUnclaimed(writer, stream, batch), isClaimed: false };
  const destination = to === 'archive' ? ({ lane: 'none' } as const) : ({ lane: 'live', withheld } as const);
  const encodedBytes = late
    ? writer.addLate(stream, batch, destination)
    : writer.addBatch(stream, batch, destination);
  return { encodedBytes, isClaimed: !late };
}

function dropJournal(streams: StreamTable, writer: WindowWriter, stream: Stream): Stream {
  const { from, to } = stream.journal;
  for (let sequence = from; sequence < to; sequence++) {
    writer.add({ type: 'del', key: journalKey(stream.number, sequence) });
  }
  const { open: _closed, ...rest } = stream;
  return streams.replace({ ...rest, journal: { from: to, to } });
}

function appendJournal(
  core: SpoolCore,
  streams: StreamTable,
  writer: WindowWriter,
  stream: Stream,
  append: JournalAppend,
): Stream {
  const { start, end, readings } = append;
  const { from, to } = stream.journal;
  const goesOn = from < to && stream.open?.start === start;
  const known = goesOn ? stream.open!.end : start;
  const before = (goesOn ? stream.journal.readTo : undefined) ?? start;
  const payloads = encodeJournal(stream.index, { start, from: known, end, readTo: before, readings });
  for (const [n, payload] of payloads.entries()) {
    writer.add(core.put('J', journalKey(stream.number, to + n), payload));
  }
  const journal = { from, to: to + payloads.length, readTo: readTo(before, readings) };
  return streams.update(stream, { journal, open: { start, end } });
}
