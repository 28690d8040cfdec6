// The memory that a site takes, about: what the image's module took (docs/BENCHMARKS.md), its tags, and the readings that
// wait in open windows.
import { adapterOf } from '../../adapters.ts';
import type { Config } from '../../config/schema.ts';

/** MB without any source. */
const base = 90;
const rulesMb = 8;
/** A tag: its settings, how it is read, its last value. */
const tagBytes = 1000;
/** A reading in an open window, with what it leaves behind on its way. */
const readingBytes = 120;
/** Room that V8 and buffers keep under load, reached at 750 readings a second. */
const busyMb = 15;
const busyRate = 750;

export function planMemory(
  { sources, rules, windows }: Config,
  readingsPerDay: number,
): { readonly mb: number } {
  const types = new Set(sources.map(({ type }) => type));
  const libraries = [...types].reduce((sum, type) => sum + (adapterOf({ type }).memoryMb ?? 0), 0);
  const tags = sources.reduce((sum, source) => sum + ('tags' in source ? (source.tags?.length ?? 0) : 0), 0);
  const rate = readingsPerDay / 86_400;
  const kept = tags * tagBytes + (rate / 1000) * windows.ageMs * readingBytes;
  const busy = busyMb * Math.min(1, rate / busyRate);
  return { mb: Math.round(base + libraries + (rules.length > 0 ? rulesMb : 0) + busy + kept / 1e6) };
}
