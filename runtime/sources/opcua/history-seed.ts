// The first time that a stream is read: its history since a given time is wanted, too. One instant of it is
// reported, the earliest that the server remembers; between that and the present lies a hole, which the detector
// then asks for like any other. So the import is paced beside live data, survives power cuts, and is accounted for,
// however many months it takes.
import { Observation } from '../observation.ts';
import type { SourceHistory, SourceSink } from '../source.ts';

/** `not-taken`: there was no room for it. */
export type Seeded = 'seeded' | 'nothing-there' | 'not-taken';

export async function seedHistory(
  history: SourceHistory,
  sinceMs: number,
  now: number,
  sink: SourceSink,
  signal: AbortSignal,
): Promise<Seeded> {
  if (sinceMs >= now) return 'nothing-there';
  const at = await firstKept(history, { start: sinceMs, end: now }, signal);
  if (at === undefined) return 'nothing-there';
  for await (const page of history.read({ start: at, end: at + 1 }, signal)) {
    if (page.kind !== 'readings' || page.window.end !== at + 1) return 'nothing-there';
    const observation = new Observation(sink);
    if (observation.begin(at) === undefined) return 'not-taken';
    const { readings } = page;
    const isTaken = readings.length === 0 || observation.take(readings);
    if (!isTaken || !observation.observe(at + 1)) return 'not-taken';
    observation.lose('history-to-come');
    return 'seeded';
  }
  return 'nothing-there';
}

async function firstKept(
  history: SourceHistory,
  range: { start: number; end: number },
  signal: AbortSignal,
): Promise<number | undefined> {
  for await (const page of history.read(range, signal)) {
    if (page.kind === 'readings') return page.window.start;
    if (page.reason !== 'history-expired') return undefined;
  }
  return undefined;
}
