import type { StreamState } from '../../../ledger/stream-states.ts';
import type { StreamView } from '../../../ledger/streams.ts';

/** As the fleet's list judges it (see stream-states.ts), from what the API says of the stream. */
export function judgeStream(stream: StreamView): StreamState {
  const { late, lengths } = stream;
  if (stream.silentSince !== null) return 'silent';
  if (stream.openRequests + late.openRequests > 0) return 'repairing';
  const givenUp = late.abandoned + stream.abandoned.reduce((sum, [start, end]) => sum + end - start, 0);
  if (stream.gapsFound > stream.gapsClosed && lengths.missing + late.missing > givenUp) return 'repairing';
  const isLossy = givenUp > 0 || lengths.excused + late.excused > 0;
  if (isLossy || stream.setAside.length > 0) return 'lossy';
  return stream.isKnown ? 'healthy' : 'unknown';
}
