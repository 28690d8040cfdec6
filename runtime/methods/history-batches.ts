// Cuts one page of a source's history into mini-batches. Bounds follow the protocol: the windows touch each
// other and together are the page's window; readings that share an index are never parted; a page without
// readings is one window that says so.
import type { MiniBatch } from '../../wire/mini-batch.ts';
import type { Reading, Value } from '../../wire/reading.ts';
import type { IndexKind, Window } from '../../wire/window.ts';

export interface CutLimits {
  /** Age of a window in a `time` stream, in ms. */
  readonly windowMs: number;
  /** About this many bytes of readings as JSON; compressed they are a fraction. */
  readonly windowBytes: number;
}

export interface HistoryPart {
  readonly batchId: string;
  readonly index: IndexKind;
  /** The part of the page that is wanted. */
  readonly window: Window;
  /** In any order; those outside of the window are left out, since the window says nothing about them. */
  readonly readings: readonly Reading[];
}

export function cutIntoBatches(part: HistoryPart, limits: CutLimits): MiniBatch[] {
  const { batchId, index, window } = part;
  const readings = part.readings
    .filter((reading) => reading.index >= window.start && reading.index < window.end)
    .sort((a, b) => a.index - b.index);
  const batches: MiniBatch[] = [];
  let start = window.start;
  let first = 0;
  let bytes = 0;
  const close = (end: number, next: number) => {
    batches.push({ batchId, index, window: { start, end }, readings: readings.slice(first, next) });
    start = end;
    first = next;
    bytes = 0;
  };
  for (const [i, reading] of readings.entries()) {
    const isNewIndex = i > first && reading.index > readings[i - 1]!.index;
    const isOld = index === 'time' && reading.index - start >= limits.windowMs;
    if (isNewIndex && (isOld || bytes >= limits.windowBytes)) close(reading.index, i);
    bytes += approximateBytes(reading);
  }
  close(window.end, readings.length);
  return batches;
}

function approximateBytes(reading: Reading): number {
  return 24 + reading.quality.length + valueBytes(reading.value);
}

function valueBytes(value: Value): number {
  if (typeof value === 'string') return value.length;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value).length;
  return 8;
}
