// Retries the opening of a spool for ever while the disk refuses: its data is intact.
import { createBackoff } from '../../../kernel/backoff.ts';
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { codeOf, describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Random } from '../../../kernel/random.ts';
import { isDiskTrouble, isSystemError } from '../engine/disk.ts';
import type { FolderLayout } from '../format/folder-layout.ts';
import { diskSpace } from '../retention/full-disk.ts';

interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Ends the tries. */
  readonly signal?: AbortSignal;
}

// Then the opening goes on without what cannot be read.
const patientTries = 5;

/** After `patientTries` the work goes on without what cannot be read. */
export async function whenDiskAllows<T>(
  options: Patience,
  layout: FolderLayout,
  work: (skipUnreadable: boolean) => Promise<T>,
): Promise<T> {
  const backoff = createBackoff({ minMs: 200, maxMs: 10_000 }, options.random);
  for (let tries = 0; ; tries++) {
    options.signal?.throwIfAborted();
    try {
      return await work(tries >= patientTries);
    } catch (error) {
      if (!mayPass(error)) throw error;
      options.log.error(
        { code: codeOf(error, 'disk-refuses'), error: describeError(error) },
        'the spool cannot be opened yet; trying again',
      );
      if (await diskSpace(layout, layout.root).makeRoomToOpen(error)) continue;
      await sleep(options.clock, backoff.next(), options.signal);
    }
  }
}

/** LevelDB's own words for what is wrong with its files are not known one by one. */
function mayPass(error: unknown): boolean {
  const isLevel = error instanceof HoldfastError && error.code === 'store-open-failed';
  return isLevel || isDiskTrouble(error) || isSystemError(error);
}
