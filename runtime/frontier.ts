// How far each stream is settled, for whoever is about to say that something is lost.
import type { Frontier } from './methods/backfill-jobs-api.ts';
import type { Spool } from './spool/spool.ts';
import type { Windows } from './windows/windows-api.ts';

/** A stream that nothing feeds any more is settled as far as it ever claimed. */
export function frontierOf(
  windows: Pick<Windows, 'settled'>,
  spool: Pick<Spool, 'floorOf'>,
): (batchId: string) => Promise<Frontier> {
  return async (batchId) => {
    const settled = windows.settled(batchId);
    if (settled === undefined) return { below: spool.floorOf(batchId), isLive: false };
    return { below: await settled, isLive: true };
  };
}
