// What the last checkpoint tells of the value log, held against the sizes of its segments. Pure: for the recovery, and for who looks into
// a stopped store.
import { valueSegmentName } from './value-log.ts';
import type { WalContents } from './wal-replay.ts';

type Contents = Pick<WalContents, 'checkpoint'>;

/**
 * A replay lengthens a segment that was cut, so this is looked at before. All that a checkpoint counts was on the disk; but nothing
 * is lost of one that the replay leaves without a value: it was removed, and a replay that was cut off itself began it again.
 */
export function cutSince({ checkpoint }: Contents, sizes: ReadonlyMap<number, number>) {
  return (checkpoint?.values ?? []).flatMap(([segment, bytes, live]) => {
    const there = sizes.get(segment);
    if (live === 0 || there === undefined || there >= bytes) return [];
    return [{ segment, text: cutText(segment, `has ${there} of ${bytes} bytes`, live) }];
  });
}

export const cutText = (segment: number, what: string, live: number): string =>
  `${valueSegmentName(segment)} ${what}: it held ${live} values, of which some may be lost`;

/** The parts of the value log that were written since the last checkpoint. */
export function writtenSince({ checkpoint }: Contents, sizes: ReadonlyMap<number, number>) {
  const before = new Map(checkpoint?.values.map(([segment, bytes]) => [segment, bytes]));
  // A checkpoint names the segment that was written to: all that it does not name with a lower number were removed.
  const last = Math.max(0, ...before.keys());
  return [...sizes].flatMap(([segment, size]) => {
    const from = before.get(segment) ?? (segment > last ? 0 : size);
    return from < size ? [{ segment, from, size }] : [];
  });
}
