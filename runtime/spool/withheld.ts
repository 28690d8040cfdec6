// Windows that go on from what an earlier process claimed. That nothing lies between is the word of the data folder, which may have
// been put back where nothing on the gateway tells; the hub was told of each start, and can. So such a window, one at most for
// each stream and start, is stored as all are, but not handed out before the hub was heard. If it knows of a later state,
// the window is never claimed: its readings go up as late ones, and its range is a hole, which the detector asks for.
//
// Crash argument. The lane's entry says on the disk that it is withheld. What the hub denied is denied for good: the
// spool's record keeps the id below which nothing that is withheld is ever claimed, and is synced before anything is handed
// out again.
import { decodeBody } from '../../wire/body.ts';
import { exactWindows } from '../../wire/exact-windows.ts';
import type { MiniBatch } from '../../wire/mini-batch.ts';
import type { Window } from '../../wire/window.ts';
import type { Archive } from './archive.ts';
import type { HubWord, SpoolCore } from './core.ts';
import type { QueuedMessage } from './lane-reader.ts';
import type { LaneStore } from './lane-store.ts';
import { decodeMessage } from './message-record.ts';
import type { Stream, StreamTable } from './streams.ts';
import { addCounts } from './totals.ts';
import type { WindowWriter } from './window-writer.ts';

/** `start`: the how-manieth start observed the window. It goes on where an earlier one ended, and the hub did not confirm that. */
export function goesOnFromBefore(
  hub: HubWord,
  stream: Stream,
  { start: from }: Window,
  start: number,
): boolean {
  if (hub.state === 'not-asked' || hub.state === 'confirms') return false;
  const { floor, reachedIn = 0 } = stream;
  // Behind a break a window begins at least one position above.
  return floor !== undefined && from <= floor && reachedIn < start;
}

/** What is to become of a withheld message. */
export function fateOf(hub: HubWord, messageId: number): 'send' | 'wait' | 'unclaim' {
  if (messageId < hub.deniedBelow || hub.state === 'denies') return 'unclaim';
  return hub.state === 'awaited' ? 'wait' : 'send';
}

/** The batch's readings, without its claim. Bytes stored. */
export function addUnclaimed(writer: WindowWriter, stream: Stream, batch: MiniBatch): number {
  let bytes = 0;
  for (const exact of exactWindows(batch.readings))
    bytes += writer.addLate(stream, { ...batch, ...exact }, { lane: 'live' });
  return bytes;
}

export interface UnclaimParts {
  readonly core: SpoolCore;
  readonly lanes: LaneStore;
  readonly archive: Archive;
  readonly streams: StreamTable;
  writer(): WindowWriter;
}

/** `entry` is taken from its lane; `value` is its message's record. @throws HoldfastError when that is damaged. */
export async function unclaim(
  { core, lanes, archive, streams, writer: newWriter }: UnclaimParts,
  lane: 'live' | 'backlog',
  entry: QueuedMessage,
  value: Buffer,
): Promise<void> {
  const { header, message } = decodeMessage(value);
  const stream = streams.byNumber(header.stream);
  const unindex = await archive.unindexOps(entry.messageId);
  const removed = lanes.removeTaken(lane, [entry]);
  const writer = newWriter();
  if (stream !== undefined) {
    const { batchId, index } = stream;
    const { schema = '' } = message.properties;
    const readings = decodeBody(message.body, { schema, contentEncoding: message.contentEncoding, index });
    addUnclaimed(writer, stream, { batchId, index, window: header.window, readings });
    writer.add(...streams.recordOps(streams.get(batchId) ?? stream));
  }
  const { ops, delta, publish } = writer.finish();
  const unsent = addCounts(removed.delta.unsent, delta.unsent);
  await core.submit({
    ops: [...removed.ops, ...unindex, ...ops],
    sync: true,
    delta: { ...delta, unsent },
  });
  publish();
}
