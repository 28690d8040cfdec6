// The claims of a spool that damage-child.ts wrote.
import { decodeBody } from '../../../wire/body.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { StreamStart } from '../../windows/window-store.ts';
import type { Spool } from '../spool.ts';
import { takeAll } from './open-test-spool.ts';

/** Windows of stream `a`, of ten record numbers each; and up to where the open window of `open` reached. */
export const promised = { windows: 90, open: 100 };

export interface Claims {
  readonly starts: { readonly a: StreamStart; readonly open: StreamStart };
  readonly windows: readonly {
    readonly id: string;
    readonly stream: string;
    readonly start: number;
    readonly end: number;
    readonly isLate: boolean;
    readonly readings: readonly Reading[];
  }[];
  readonly damaged: number;
  readonly repair?: string;
  /** Why it is `failing`, where it is. */
  readonly problem?: string;
}

/** All that waits, and what the spool tells of its losses once it had time to. */
export async function claimsOf(spool: Spool): Promise<Claims> {
  const starts = { a: spool.openStream('a', 'sequence'), open: spool.openStream('open', 'sequence') };
  const windows = (await takeAll(spool, 'backlog')).map(({ message }) => {
    const { batchId = '', startWindow, endWindow, schema = '', isLate } = message.properties;
    const { contentEncoding, messageId: id } = message;
    const readings = decodeBody(message.body, { schema, contentEncoding, index: 'sequence' });
    const [start, end] = [Number(startWindow), Number(endWindow)];
    return { id, stream: batchId, start, end, isLate: isLate !== undefined, readings };
  });
  const isTold = () => isTellingLoss(spool.stats());
  const isLost = isLossy(windows);
  for (let turns = 0; isLost && !isTold() && turns < 2000; turns++)
    await new Promise((resolve) => setImmediate(resolve));
  const { damaged, repair, problem } = spool.stats();
  return {
    starts,
    windows,
    damaged,
    ...(repair === undefined ? {} : { repair: repair.reason }),
    ...(problem === undefined ? {} : { problem }),
  };
}

export const isTellingLoss = ({
  damaged,
  repair,
  problem,
}: {
  readonly damaged: number;
  readonly repair?: unknown;
  readonly problem?: string;
}): boolean => damaged > 0 || repair !== undefined || (problem?.includes('cannot be read') ?? false);

export function heldIn(windows: Claims['windows']): { windows: number; openTo: number } {
  const claimed = windows.filter(({ isLate }) => !isLate);
  const ends = claimed.filter(({ stream }) => stream === 'open').map(({ end }) => end);
  const ids = new Set(claimed.filter(({ stream }) => stream === 'a').map(({ id }) => id));
  return { windows: ids.size, openTo: Math.max(0, ...ends) };
}

export function isLossy(windows: Claims['windows']): boolean {
  const held = heldIn(windows);
  return held.windows < promised.windows || held.openTo < promised.open;
}
