// Cuts a stretch of a stream into parts that are decided one by one, so that of a long window no more waits than when it was live.
import type { Span } from './input-tracker.ts';

const rowsATake = 1000;

/** In order, with at most so many readings each. Of one index all are in one. */
export function partsOf(span: Span): readonly Span[] {
  const { readings } = span;
  if (readings.length <= rowsATake) return [span];
  const parts: Span[] = [];
  let [from, start] = [0, span.start];
  while (from < readings.length) {
    let to = Math.min(from + rowsATake, readings.length);
    while (to < readings.length && readings[to]!.index === readings[to - 1]!.index) to++;
    const end = to < readings.length ? readings[to]!.index : span.end;
    const follows = parts.length === 0 ? span.follows : 'touching';
    parts.push({ start, end, follows, readings: readings.slice(from, to) });
    [from, start] = [to, end];
  }
  return parts;
}
