// Turns a window into late readings without a claim: see lanes/withheld.ts.
import { decodeBody } from '../../../wire/body.ts';
import { exactWindows } from '../../../wire/exact-windows.ts';
import type { MiniBatch } from '../../../wire/mini-batch.ts';
import type { SpoolCore } from '../core/core.ts';
import type { Stream, StreamTable } from '../core/streams.ts';
import { decodeMessage } from '../format/message-record.ts';
import { addCounts } from '../format/totals.ts';
import type { QueuedMessage } from '../lanes/lane-reader.ts';
import type { LaneStore } from '../lanes/lane-store.ts';
import type { Archive } from './archive.ts';
import type { WindowWriter } from './window-writer.ts';

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
