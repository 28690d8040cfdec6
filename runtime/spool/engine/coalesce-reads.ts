// Bodies that lie next to each other, in one read: a lane is drained in the order in which it was stored, and each
// read of its own costs more than the body that it brings.
import type { Place } from './wal-ops.ts';

/** Less is read in vain than a read of its own costs. */
const maxGapBytes = 4096;
const maxReadBytes = 1024 * 1024;

export interface WantedBody {
  /** Among what was asked for. */
  readonly n: number;
  readonly place: Place;
  /** With its head. */
  readonly bytes: number;
}

export interface Stretch {
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
  readonly bodies: readonly WantedBody[];
}

/** As few reads as reach them all; each of bounded size, but for one body that is larger. */
export function stretchesOf(wanted: readonly WantedBody[]): readonly Stretch[] {
  const sorted = wanted.toSorted((a, b) => a.place.file - b.place.file || a.place.offset - b.place.offset);
  const stretches: { file: number; offset: number; bytes: number; bodies: WantedBody[] }[] = [];
  for (const body of sorted) {
    const { file, offset } = body.place;
    const last = stretches.at(-1);
    const end = last && last.offset + last.bytes;
    const bytes = last ? offset + body.bytes - last.offset : 0;
    if (last && last.file === file && offset - end! <= maxGapBytes && bytes <= maxReadBytes) {
      last.bytes = Math.max(last.bytes, bytes);
      last.bodies.push(body);
    } else stretches.push({ file, offset, bytes: body.bytes, bodies: [body] });
  }
  return stretches;
}
