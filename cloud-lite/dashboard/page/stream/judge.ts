import type { StreamState } from '../../../ledger/stream-states.ts';
import type { StreamView } from '../../../ledger/streams.ts';

/** As the fleet's list judges it (see stream-states.ts), from the stream's own ranges. */
export function judgeStream(stream: StreamView): StreamState {
  if (stream.silentSince !== null) return 'silent';
  if (stream.openRequests > 0) return 'repairing';
  const givenUp = stream.abandoned.reduce((sum, [start, end]) => sum + end - start, 0);
  if (stream.gapsFound > stream.gapsClosed && stream.lengths.missing > givenUp) return 'repairing';
  return givenUp > 0 || stream.lengths.excused > 0 ? 'lossy' : 'healthy';
}
