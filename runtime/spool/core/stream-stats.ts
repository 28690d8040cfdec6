import type { IndexKind, Window } from '../../../wire/window.ts';
import type { Stream } from './streams.ts';

export interface StreamStats {
  readonly batchId: string;
  readonly index: IndexKind;
  /** End of the last closed window. */
  readonly floor?: number;
  readonly lastWindow?: Window;
  readonly open?: Window;
}

/** The status of a stream. */
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
