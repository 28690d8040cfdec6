import type { StreamStats } from '../spool-api.ts';
import type { Stream } from './streams.ts';

/** What status says of a stream. */
export function streamStats(stream: Stream): StreamStats {
  const { batchId, index, floor, lastWindow, open } = stream;
  return {
    batchId,
    index,
    ...(floor === undefined ? {} : { floor }),
    ...(lastWindow === undefined ? {} : { lastWindow }),
    ...(open === undefined ? {} : { open }),
  };
}
